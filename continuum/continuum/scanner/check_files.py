"""Scans the workflows of modules by their text: nothing is imported or executed."""

from __future__ import annotations

import ast

from continuum.scanner.calls import signal_named
from continuum.scanner.configuration import Trust
from continuum.scanner.findings import Finding, Severity
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import decorators_of
from continuum.scanner.resolution import Dotted
from continuum.scanner.scopes import Scope
from continuum.scanner.workflow_scan import Scan

# The code of a definition that no import accepts; it is no rule of determinism, and nothing allows it.
OLD_SPELLING = "CT001"


def scan_definitions(module: ScannedModule, trust: Trust) -> list[Finding]:
    """Scan every workflow and pure definition of a module, and return each finding once."""
    found: dict[tuple[int, int, str], Finding] = {}
    for finding in _findings(module, trust):
        found.setdefault((finding.line, finding.column, finding.code), finding)
    return sorted(found.values())


def workflows_in(module: ScannedModule) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the definitions of workflows in a module, nested ones too."""
    return [node for node in _functions(module) if "continuum.workflow" in dict(decorators_of(module, node))]


def has_definitions(module: ScannedModule) -> bool:
    """Return whether a module defines anything to scan: a workflow, or a pure function or class."""
    return bool(workflows_in(module)) or any(
        "continuum.pure" in dict(decorators_of(module, node))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def _findings(module: ScannedModule, trust: Trust) -> list[Finding]:
    found: list[Finding] = []
    for node in _functions(module):
        named = dict(decorators_of(module, node))
        if "continuum.workflow" in named:
            found += _old_spellings(module, named["continuum.workflow"])
            signals = _declared_signals(module, named["continuum.workflow"])
            found += Scan(module, trust, signals).run(node, module.scope_around(node))
        elif "continuum.pure" in named:
            found += Scan(module, trust).run(node, module.scope_around(node))
    for owner in ast.walk(module.tree):
        if isinstance(owner, ast.ClassDef) and "continuum.pure" in dict(decorators_of(module, owner)):
            found += Scan(module, trust).run_class(owner, module.scope_around(owner))
    return found


def _old_spellings(module: ScannedModule, decorator: ast.expr) -> list[Finding]:
    """Return an error for each `version=`: the decorator refuses it when the module is imported."""
    return [
        Finding(
            module.filename,
            one.lineno,
            one.col_offset + 1,
            OLD_SPELLING,
            f"@workflow has no version=; write label={ast.unparse(one.value)} "
            "(a version is the hash of the code)",
            Severity.ERROR,
        )
        for one in (decorator.keywords if isinstance(decorator, ast.Call) else ())
        if one.arg == "version"
    ]


def _functions(module: ScannedModule) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list
    ]


def _declared_signals(module: ScannedModule, decorator: ast.expr) -> frozenset[str] | None:
    """Return the names in `signals=[...]`; None when it is absent or a name cannot be read from the text."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    declared = next((one.value for one in keywords if one.arg == "signals"), None)
    if not isinstance(declared, ast.List | ast.Tuple) or not declared.elts:
        return None
    names = [_signal_name(module, element, module.scope) for element in declared.elts]
    known = frozenset(name for name in names if name is not None)
    return known if len(known) == len(names) else None


def _signal_name(module: ScannedModule, node: ast.expr, scope: Scope) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if module.resolver.resolve(node, scope) != Dotted("continuum.Signal()"):
        return None
    return signal_named(node, scope)
