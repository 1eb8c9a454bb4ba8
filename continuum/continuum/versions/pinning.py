"""Pinned versions: stores the source of a version, and loads it again next to later versions.

The text of the workflow's module is stored. When it is loaded again, its imports give the modules of that
time, and its activities and signals are those that are loaded by then, by name. Stored source is executed
only for a workflow whose current code says `on_change="pin"`, and the result is used only if it has the
hash under which the source was stored.
"""

from __future__ import annotations

import linecache
import sys
from types import ModuleType
from typing import Any

from continuum.definitions.activity import reuse_loaded_activities
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidDefinition, UnknownVersion
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body


def pinned_source(workflow: Workflow[..., Any]) -> bytes:
    """Return what `load_pinned` needs to load this version again; `InvalidDefinition` when it cannot be."""
    name, qualname = workflow.name, workflow.fn.__qualname__
    if workflow.source is None:
        raise InvalidDefinition(f'{name} has on_change="pin", but no source to keep; define it in a file')
    if "<locals>" in qualname:
        raise InvalidDefinition(
            f'{name} has on_change="pin", but is defined inside a function, '
            "where it cannot be found again; move it to the top of its module"
        )
    return pack_body((workflow.fn.__module__, qualname, workflow.source.text))


def load_pinned(stored: bytes, version: str, current: Workflow[..., Any]) -> Workflow[..., Any]:
    """Return the workflow that was stored under this version; `current` is the loaded code of its name.

    Raises `UnknownVersion` when the source does not yield that version here.
    """
    what = f"version {version} of {current.name}"
    try:
        _, qualname, text = unpack_body(stored)
    except (CorruptBody, ValueError) as error:
        raise UnknownVersion(f"the stored source of {what} cannot be read: {error}") from error
    module = _empty_module(str(text), version, current)
    try:
        found = _executed(str(text), str(qualname), module)
    except Exception as error:
        _forget(module)
        reason = f"{type(error).__name__}: {error}"
        raise UnknownVersion(f"the stored source of {what} cannot be loaded here: {reason}") from error
    if not isinstance(found, Workflow) or found.name != current.name or found.version_hash != version:
        _forget(module)
        raise UnknownVersion(f"the stored source of {what} gives another version; it is not executed")
    return found


def _empty_module(text: str, version: str, current: Workflow[..., Any]) -> ModuleType:
    """Return a module under a unique name, so that no import finds it by accident."""
    module = ModuleType(f"_continuum_pinned_{version}")
    filename = f"<pinned {current.name} {version}>"
    # Relative imports resolve as in the current code.
    module.__package__ = current.fn.__globals__.get("__package__")
    module.__file__ = filename
    # The hash and tracebacks read the source from here.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    # Dataclasses and type hints look up their module.
    sys.modules[module.__name__] = module
    return module


def _forget(module: ModuleType) -> None:
    del sys.modules[module.__name__]
    del linecache.cache[str(module.__file__)]


def _executed(text: str, qualname: str, module: ModuleType) -> object:
    with reuse_loaded_activities():
        exec(compile(text, str(module.__file__), "exec", dont_inherit=True), module.__dict__)
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
