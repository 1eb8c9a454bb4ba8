"""A digest of all the code that a process has loaded for its user; a deploy of other code changes it.

A version covers what a workflow's code reaches in its module. The code in the user's other modules may be
what blocks a run, too, so a node tries a blocked run again when this digest is another one.
"""

from __future__ import annotations

import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from continuum.definitions.workflow import Workflow

_OWN = frozenset({"continuum", "continuum_actors", "continuum_supervision", "continuum_migrations"})
# Differs between the processes of one node.
_PROGRAMS = frozenset({"__main__", "__mp_main__"})


def digest_of(workflows: Iterable[Workflow[..., Any]]) -> str:
    """Return the digest of these workflows' versions and of the user's modules that are loaded."""
    state = hashlib.sha256()
    defining = set()
    for name, version, module in sorted(
        (each.name, each.version_hash, each.fn.__module__) for each in workflows
    ):
        state.update(f"{name}\0{version}\0".encode())
        defining.add(module)
    installed = _installed()
    for name, loaded in sorted(sys.modules.items()):
        if name not in defining and (name in _PROGRAMS or name.partition(".")[0] in _OWN):
            continue
        text = _source_of(loaded, installed)
        if text is not None:
            state.update(f"{name}\0{len(text)}\0".encode() + text)
    return state.hexdigest()


def user_modules() -> dict[str, str]:
    """Return the files of the modules that are loaded and are the user's, by the names of the modules."""
    installed = _installed()
    return {
        name: str(loaded.__file__)
        for name, loaded in sorted(sys.modules.items())
        if name not in _PROGRAMS
        and name.partition(".")[0] not in _OWN
        and _source_of(loaded, installed) is not None
    }


def _installed() -> tuple[str, ...]:
    """Return the directories of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    places = {paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]}
    return tuple(sorted({*places, *site.getsitepackages(), site.getusersitepackages()}))


def _source_of(module: ModuleType, installed: tuple[str, ...]) -> bytes | None:
    """Return the text of a module, None for one that is not the user's or has no file."""
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    if not isinstance(file, str) or file.startswith(installed):
        return None
    try:
        return Path(file).read_bytes()
    except OSError:
        return None
