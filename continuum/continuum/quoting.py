"""How our messages and log lines quote what a user sent: shortened, and on one line.

An input, a name, an exception's message or an argument of a command may be of any size. A message
that repeats all of it hides what it says, and fills the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

QUOTED_CHARACTERS = 200
_LONG_WORD = re.compile(rf"\S{{{QUOTED_CHARACTERS + 1},}}")


def shortened(text: object, most: int = QUOTED_CHARACTERS) -> str:
    """Return a text of at most `most` characters that says how long it was if it was longer."""
    whole = str(text)
    if len(whole) <= most:
        return whole
    note = f"… ({len(whole)} characters)"
    return whole[: most - len(note)] + note


def with_short_words(text: str) -> str:
    """Return a text in which no word is longer than a quotation, for texts whose parts are not known."""
    if len(text) <= QUOTED_CHARACTERS:
        return text
    return _LONG_WORD.sub(lambda word: shortened(word[0]), text)


def with_short_parts(text: str, parts: Iterable[str]) -> str:
    """Return a text that repeats at most a quotation of these parts, alone or one after the other.

    Library messages repeat what a user typed, as it is or as its `repr`. White space does not count.
    """
    text = " ".join(text.split())
    if len(text) <= QUOTED_CHARACTERS:
        return text
    forms = {" ".join(form.split()) for part in parts for form in (part, repr(part)[1:-1])} - {""}
    if not forms:
        return text
    either = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.sub(f"(?:{either})(?: ?(?:{either}))*", lambda found: shortened(found[0]), text)


def quoted(value: object) -> str:
    """Return the shortened `repr` of a value, whatever the value's own `__repr__` does."""
    if isinstance(value, str | bytes) and len(value) > QUOTED_CHARACTERS:
        # Not the `repr` of the whole, which may be megabytes.
        note = f"… ({len(value)} {'characters' if isinstance(value, str) else 'bytes'})"
        return shortened(repr(value[: QUOTED_CHARACTERS // 2]), QUOTED_CHARACTERS - len(note)) + note
    try:
        return shortened(repr(value))
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def listed(names: Iterable[str]) -> str:
    """Return names with commas between them, shortened."""
    return shortened(", ".join(names))


def one_line(text: str, most: int = QUOTED_CHARACTERS) -> str:
    """Return a shortened text without line breaks and control characters."""
    if text.isprintable() and len(text) <= most:
        return text
    begin = text[: 4 * most]
    line = " ".join("".join(each if each.isprintable() else " " for each in begin).split())
    if len(begin) == len(text):
        return shortened(line, most)
    note = f"… ({len(text)} characters)"
    return line[: most - len(note)] + note


def nearest(name: str, names: Iterable[str]) -> str:
    """Return an addition to a sentence about a name: the nearest of these, if one is near."""
    # Import late: most processes meet no wrong name.
    from difflib import get_close_matches

    found = get_close_matches(name, sorted(names), 1)
    return f"; the nearest name is {found[0]}" if found else ""
