"""One module as the scanner reads it: its text, its names, and the rules that its author allows on a line.

A module is `live` while its functions are being defined: then its imports are loaded, and objects show more
than names. `continuum check` only reads files and executes nothing.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from continuum.scanner.module_state import changed_names
from continuum.scanner.resolution import Resolver
from continuum.scanner.scopes import Scope, class_scope, function_scope, module_scope
from continuum.source.module_source import ModuleSource

FunctionDefinition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = FunctionDefinition | ast.ClassDef

ALLOWANCE = re.compile(r"#.*\bcontinuum:\s*allow\s+(CT\d{3}(?:\s*,\s*CT\d{3})*)")


class ScannedModule:
    """What a scan of any function of a module needs to know about the module."""

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
        """The names of the module that its own functions change."""
        return changed_names(self.tree, self.scope)

    def allows(self, node: ast.AST, code: str) -> bool:
        """Tell whether a comment on one of the node's lines allows breaking this rule."""
        if not self._allowances:
            return False
        first = getattr(node, "lineno", 1)
        lines = range(first, (getattr(node, "end_lineno", None) or first) + 1)
        return any(code in self._allowances.get(line, ()) for line in lines)

    def scope_around(self, node: Definition) -> Scope:
        """Return the scope in which a function or class of this module, possibly nested, is defined."""
        return next((scope for found, scope in self._around(node.lineno) if found is node), self.scope)

    def function_at(self, name: str, line: int) -> tuple[FunctionDefinition, Scope] | None:
        """Return the function that starts at this line (with its first decorator), and its scope."""
        for found, scope in self._around(line):
            if not isinstance(found, ast.ClassDef) and found.name == name and _start(found) == line:
                return found, scope
        return None

    def class_at(self, name: str, line: int) -> tuple[ast.ClassDef, Scope] | None:
        """Return the class of this name around a line, and its scope."""
        for found, scope in self._around(line):
            if isinstance(found, ast.ClassDef) and found.name == name:
                return found, scope
        return None

    def _around(self, line: int) -> Iterator[tuple[Definition, Scope]]:
        """Yield the definitions around a line, the outermost first, without visiting any other."""
        scope = self.scope
        body: list[ast.AST] = [*self.tree.body]
        while body:
            here = body.pop()
            if isinstance(here, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if _start(here) <= line <= (here.end_lineno or 0):
                    yield here, scope
                    inner = class_scope if isinstance(here, ast.ClassDef) else function_scope
                    scope, body = inner(here, scope), [*here.body]  # type: ignore[arg-type]
            elif getattr(here, "lineno", 1) <= line <= (getattr(here, "end_lineno", None) or line):
                body.extend(ast.iter_child_nodes(here))


def _start(node: Definition) -> int:
    return min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)


@functools.lru_cache(maxsize=64)
def scanned_module(source: ModuleSource, package: str, live: bool) -> ScannedModule:
    """Return the scanned module; all workflows of a module share one."""
    return ScannedModule(source, package, live)


def package_of(name: str, path: str) -> str:
    """Return the package that the relative imports of a module start from, by its name and its file."""
    return name if path.endswith("__init__.py") else name.rpartition(".")[0]


def module_in_file(path: str, package: str) -> ScannedModule | None:
    """Read a module from its file; None when the file is not valid Python."""
    try:
        status = Path(path).stat()
        return _read(path, package, (status.st_ino, status.st_mtime_ns))
    except (OSError, SyntaxError, ValueError):
        return None


@functools.lru_cache(maxsize=256)
def _read(path: str, package: str, edition: tuple[int, int]) -> ScannedModule:
    """Read each edition of a file (inode and modification time) once."""
    source = ModuleSource(path, Path(path).read_text(encoding="utf-8"))
    return ScannedModule(source, package, live=False)
