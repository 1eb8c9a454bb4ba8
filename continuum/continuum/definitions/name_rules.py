"""The rules for names and keys: they are parts of index rows and command-line arguments.

Text goes into a database that has no NUL character, so every name and key is limited in bytes and has no
control characters.
"""

from __future__ import annotations

from continuum.errors import InvalidDefinition, InvalidOption
from continuum.quoting import quoted

NAME_BYTES = 128
# The name of an activity or a workflow: the qualified name of its function, if no other is given.
DEFINITION_NAME_BYTES = 512
# Keys, namespaces and names of attributes: Postgres limits an index row to a third of a page.
KEY_BYTES = 255


def _unfit(character: str) -> bool:
    """Whether a character cannot be in a name: a control character or a surrogate."""
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"


def check_name(name: str, what: str, *, most: int = NAME_BYTES) -> None:
    """Refuse a name that cannot be stored or typed; the message begins with `what`."""
    if not isinstance(name, str) or not name or any(map(_unfit, name)) or len(name.encode()) > most:
        raise InvalidDefinition(f"{what} has 1 to {most} bytes and no control characters, not {name!r:.100}")


def short_text(value: object, what: str, *, most: int = KEY_BYTES) -> str:
    """Return `value` if it is text that can be a key or a name."""
    if not isinstance(value, str):
        raise InvalidOption(f"{what} must be text, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidOption(f"{what} has a character that cannot be stored: {quoted(value)}") from None
    if not 1 <= size <= most:
        raise InvalidOption(f"{what} must have 1 to {most} bytes, not {size}")
    if any(character < " " or character == "\x7f" for character in value):
        raise InvalidOption(f"{what} must not have control characters: {quoted(value)}")
    return value
