"""The project's own source as the tidy tests see it: one record a module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "continuum/continuum",
    "actors/continuum_actors",
    "supervision/continuum_supervision",
    "migrations/continuum_migrations",
)


@dataclass(frozen=True, slots=True)
class Module:
    """One file: where it lies below the project, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def imports(self) -> frozenset[str]:
        """The dotted names this module imports, wherever in it."""
        return frozenset(_imported(self.tree))

    def imports_from(self, library: str) -> bool:
        """Tell whether it imports the library or anything in it."""
        return any(name == library or name.startswith(f"{library}.") for name in self.imports())


@cache
def modules_under(*folders: str) -> tuple[Module, ...]:
    """Read every module below the folders; a folder that is not there has none."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_read(path) for path in paths)


def product() -> tuple[Module, ...]:
    """Every module that is shipped."""
    return modules_under(*ROOMS)


def suite() -> tuple[Module, ...]:
    """Every module of the tests."""
    return modules_under("tests")


def _read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path=path.relative_to(ROOT).as_posix(), text=text, tree=ast.parse(text, filename=str(path)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
