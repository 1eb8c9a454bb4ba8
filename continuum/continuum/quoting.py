"""How our messages and log lines quote what a user sent: shortened, and on one line.

An input, a name, an exception's message or an argument of a command may be of any size. A message
that repeats all of it hides what it says, and fills the log.
"""

from __future__ import annotations

QUOTED_CHARACTERS = 200


def shortened(text: object, most: int = QUOTED_CHARACTERS) -> str:
    """Return a text of at most `most` characters that says how long it was if it was longer."""
    whole = str(text)
    if len(whole) <= most:
        return whole
    note = f"… ({len(whole)} characters)"
    return whole[: most - len(note)] + note


def quoted(value: object) -> str:
    """Return the shortened `repr` of a value, whatever the value's own `__repr__` does."""
    if type(value) in (str, bytes) and len(value) > QUOTED_CHARACTERS:  # type: ignore[arg-type]
        note = f"… ({len(value)} {'bytes' if type(value) is bytes else 'characters'})"  # type: ignore[arg-type]
        return shortened(repr(value[: QUOTED_CHARACTERS // 2]), QUOTED_CHARACTERS - len(note)) + note  # type: ignore[index]
    try:
        return shortened(repr(value))
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def listed(names: object) -> str:
    """Return names with commas between them, shortened."""
    return shortened(", ".join(map(str, names)))  # type: ignore[call-overload]


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
