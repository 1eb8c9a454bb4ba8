"""One module under the scanner: its text, its names, and what its author allows on a line.

A module is `live` while its own functions are being defined: then what it imports is loaded, and objects
say more than names. `continuum check` reads files alone and executes nothing.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from continuum.module_source import ModuleSource
from continuum.scanner.resolution import Resolver
from continuum.scanner.scopes import Scope, class_scope, function_scope, module_scope
from continuum.scanner.state import changed_names

ALLOWANCE = re.compile(r"#.*\bcontinuum:\s*allow\s+(CT\d{3}(?:\s*,\s*CT\d{3})*)")


class ScannedModule:
    """What scanning any function of a module needs to know of the module."""

    def __init__(self, source: ModuleSource, package: str, live: bool) -> None:
        self.filename = source.filename
        self.tree = source.tree
        self.live = live
        self.text = source.text
        self.resolver = Resolver()
        self.scope = module_scope(self.tree, package, walruses=":=" in source.text)

    @functools.cached_property
    def _allowances(self) -> dict[int, frozenset[str]]:
        if "continuum:" not in self.text:
            return {}
        found = ((number, ALLOWANCE.search(line)) for number, line in enumerate(self.text.splitlines(), 1))
        return {number: frozenset(re.split(r"\s*,\s*", match.group(1))) for number, match in found if match}

    @functools.cached_property
    def changed_names(self) -> frozenset[str]:
        """The module's names that functions of it change."""
        return changed_names(self.tree, self.scope)

    def allows(self, node: ast.AST, code: str) -> bool:
        """Tell whether a comment on one of the node's lines allows this rule's offence."""
        if not self._allowances:
            return False
        first = getattr(node, "lineno", 1)
        lines = range(first, (getattr(node, "end_lineno", None) or first) + 1)
        return any(code in self._allowances.get(line, ()) for line in lines)

    def scope_around(self, node: ast.AST) -> Scope:
        """Return the scope in which a function or class, nested or not, is defined."""
        scope, body = self.scope, list(self.tree.body)
        line = getattr(node, "lineno", 0)
        while body:
            here: ast.AST = body.pop()
            if here is node or not (
                getattr(here, "lineno", 0) <= line <= (getattr(here, "end_lineno", 0) or 0)
            ):
                continue
            if isinstance(here, ast.FunctionDef | ast.AsyncFunctionDef):
                scope, body = function_scope(here, scope), list(here.body)
            elif isinstance(here, ast.ClassDef):
                scope, body = class_scope(here, scope), list(here.body)
            else:
                body = [part for part in ast.iter_child_nodes(here) if hasattr(part, "lineno")]  # type: ignore[misc]
        return scope


@functools.lru_cache(maxsize=64)
def scanned_module(source: ModuleSource, package: str, live: bool) -> ScannedModule:
    """Return the module's record, made once: ten workflows of a module share it."""
    return ScannedModule(source, package, live)


@functools.lru_cache(maxsize=256)
def module_in_file(path: str, package: str) -> ScannedModule | None:
    """Read a module from its file, None when it is no text of Python."""
    try:
        source = ModuleSource(path, Path(path).read_text(encoding="utf-8"))
        return ScannedModule(source, package, live=False)
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return None
