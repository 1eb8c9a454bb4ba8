"""Names of signals and of published values: index keys, and arguments of commands."""

from __future__ import annotations

from continuum.errors import InvalidDefinition

NAME_BYTES = 128


def _unfit(character: str) -> bool:
    """Whether a character cannot be in a name: a control character, or half of one that has two."""
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be stored or typed; `what` it names begins the message."""
    if not isinstance(name, str) or not name or any(map(_unfit, name)) or len(name.encode()) > NAME_BYTES:
        raise InvalidDefinition(
            f"{what} has 1 to {NAME_BYTES} bytes and no control characters, not {name!r:.100}"
        )
