"""The rules for names of signals and published values: they are index keys and command-line arguments."""

from __future__ import annotations

from continuum.errors import InvalidDefinition

NAME_BYTES = 128


def _unfit(character: str) -> bool:
    """Whether a character cannot be in a name: a control character or a surrogate."""
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be stored or typed; the message begins with `what`."""
    if not isinstance(name, str) or not name or any(map(_unfit, name)) or len(name.encode()) > NAME_BYTES:
        raise InvalidDefinition(
            f"{what} has 1 to {NAME_BYTES} bytes and no control characters, not {name!r:.100}"
        )
