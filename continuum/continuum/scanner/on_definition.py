"""Scans a workflow while it is being defined: errors refuse the definition, warnings point to its line."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Iterable
from types import FrameType, FunctionType, ModuleType
from typing import Any

from continuum.errors import DeterminismError
from continuum.scanner.check_files import scan_definitions
from continuum.scanner.configuration import configured_trust, refused
from continuum.scanner.findings import DeterminismWarning, Finding, Severity
from continuum.scanner.module import scanned_module
from continuum.scanner.workflow_scan import Scan
from continuum.source.module_source import module_source

# The caller that applies the decorator is the first frame outside these packages.
_OURS = ("continuum.definitions", "continuum.scanner")

# Stored source was scanned when it was defined; a later rule must not strand its runs.
_STORED = "_continuum_pinned_"


def check_workflow(name: str, fn: Callable[..., Any], signals: Collection[str]) -> None:
    """Scan a workflow that is being defined; raise `DeterminismError` for errors, warn otherwise."""
    if not (fn.__module__ or "").startswith(_STORED):
        refuse_or_warn(f"workflow {name}", scan_function(fn, signals))


def scan_function(fn: Callable[..., Any], signals: Collection[str] = ()) -> list[Finding]:
    """Scan one function as its module defines it; without source there are no findings."""
    function = inspect.unwrap(getattr(fn, "fn", fn))
    source = module_source(function)
    if source is None or not isinstance(function, FunctionType):
        return []
    module = scanned_module(source, function.__globals__.get("__package__") or "", live=True)
    found = module.function_at(function.__code__.co_name, function.__code__.co_firstlineno)
    if found is None:
        return []
    return Scan(module, configured_trust(), frozenset(signals) or None).run(*found)


def scan_class(made: type) -> list[Finding]:
    """Scan the methods of a class."""
    for method in filter(inspect.isfunction, vars(made).values()):
        source = module_source(method) if method.__module__ == made.__module__ else None
        if source is not None:
            package = method.__globals__.get("__package__") or ""
            module = scanned_module(source, package, live=True)
            found = module.class_at(made.__name__, method.__code__.co_firstlineno)
            if found is not None:
                return Scan(module, configured_trust()).run_class(*found)
    return []


def scan_targets(targets: Iterable[Callable[..., Any] | ModuleType]) -> list[Finding]:
    """Scan functions and classes, and all workflows and pure definitions of modules."""
    found: set[Finding] = set()
    for target in targets:
        if isinstance(target, ModuleType):
            found.update(_scan_module(target))
        else:
            found.update(scan_class(target) if isinstance(target, type) else scan_function(target))
    return sorted(found)


def _scan_module(module: ModuleType) -> list[Finding]:
    function = next((one for one in vars(module).values() if _is_of(one, module)), None)
    source = (
        module_source(inspect.unwrap(getattr(function, "fn", function))) if function is not None else None
    )
    if source is None:
        return []
    return scan_definitions(scanned_module(source, module.__package__ or "", live=True), configured_trust())


def _is_of(value: Any, module: ModuleType) -> bool:
    function = getattr(value, "fn", value)
    return inspect.isfunction(function) and function.__module__ == module.__name__


def refuse_or_warn(what: str, findings: list[Finding]) -> None:
    """Raise `DeterminismError` with all errors; if there are none, issue the warnings."""
    errors = refused(findings)
    if errors:
        lines = "\n".join(f"  {finding}" for finding in errors)
        raise DeterminismError(f"{what} does what replay could not repeat:\n{lines}")
    for finding in findings:
        if finding.severity is Severity.WARNING:
            warnings.warn(str(finding), DeterminismWarning, stacklevel=_depth_of_caller())


def _depth_of_caller() -> int:
    depth, frame = 1, sys._getframe(1)
    around: FrameType | None = frame
    while around is not None and around.f_globals.get("__name__", "").startswith(_OURS):
        depth, around = depth + 1, around.f_back
    return depth
