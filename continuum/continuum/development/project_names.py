"""The name of a new project, which is that of its package, too. Pure functions."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from continuum.errors import InvalidOption
from continuum.quoting import quoted

# A systemd unit, an image and a package have this name; all of them take so many characters.
NAME_CHARACTERS = 40

_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{NAME_CHARACTERS - 1}}}")
# What the project itself, or its tests, import.
_ENGINE = ("continuum", "continuum_actors", "continuum_migrations", "continuum_supervision")
_TAKEN = frozenset((*_ENGINE, "pytest", "test", "tests"))


def name_of_directory(directory: Path) -> str:
    """Return a name made of that of a directory; `InvalidOption` asks for another one."""
    made = re.sub(r"[^a-z0-9]+", "_", directory.resolve().name.lower()).strip("_")
    try:
        return checked_name(made)
    except InvalidOption as error:
        raise InvalidOption(f"{error}; give another one with --name") from None


def checked_name(name: str) -> str:
    """Return a name that a package can have; `InvalidOption` says why it cannot."""
    if not _NAME.fullmatch(name):
        raise InvalidOption(
            f"a project is named with up to {NAME_CHARACTERS} lower-case letters, digits and underscores, "
            f"beginning with a letter, not {quoted(name)}"
        )
    if name in _TAKEN or name in sys.stdlib_module_names or keyword.iskeyword(name):
        raise InvalidOption(f"a package named {quoted(name)} would hide one that Python or the project needs")
    return name
