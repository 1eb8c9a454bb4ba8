"""Source that runs keep: how a version is stored whole, and loaded again beside its successors.

What is stored is the text of the workflow's module; what it imports is what is there when it is loaded
again, and its activities and signals are those that are loaded now, by name. Stored source is executed
only for a workflow whose own code here says `on_change="pin"`, and only when what comes out has the
hash it is stored under.
"""

from __future__ import annotations

import linecache
import sys
from types import ModuleType
from typing import Any

from continuum.definitions.activity import loaded_activities_stand_in
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidDefinition, UnknownVersion
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body


def pinned_source(workflow: Workflow[..., Any]) -> bytes:
    """Return what it takes to load this version again; `InvalidDefinition` when that cannot be."""
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
    """Return the workflow that was stored under this version; `current` is what it has become.

    Raises `UnknownVersion` when the source does not give that version here.
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
    """Return a module with a name of its own, seen by nobody but who asks for exactly it."""
    module = ModuleType(f"_continuum_pinned_{version}")
    filename = f"<pinned {current.name} {version}>"
    # Relative imports lead where those of the current code lead.
    module.__package__ = current.fn.__globals__.get("__package__")
    module.__file__ = filename
    # For the hash, and for tracebacks.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    # Dataclasses and type hints look their module up.
    sys.modules[module.__name__] = module
    return module


def _forget(module: ModuleType) -> None:
    del sys.modules[module.__name__]
    del linecache.cache[str(module.__file__)]


def _executed(text: str, qualname: str, module: ModuleType) -> object:
    with loaded_activities_stand_in():
        exec(compile(text, str(module.__file__), "exec", dont_inherit=True), module.__dict__)
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
