"""The source text that a function was defined in, read and parsed once for each module.

Here: text and syntax tree of a function's module, and the `def` in it that the function comes from.
Not here: their uses (`content_hash.py` hashes them, `scanner/` checks them). For a function without source
(`exec`, a prompt, only a .pyc) the functions here return None.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeAlias

FunctionDefinition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class ModuleSource:
    """The text of one module when a function of it was first looked up."""

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        self.text = text

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of the module; it is shared, so do not change it."""
        return ast.parse(self.text, self.filename)

    @functools.cached_property
    def definitions(self) -> dict[tuple[str, int], FunctionDefinition]:
        """Every function of the module, also nested ones, by name and first line (of a decorator, if any)."""
        return {
            (node.name, first_line(node)): node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }


# By file name. An edited file replaces its entry; functions defined before keep the source they got.
_sources: dict[str, ModuleSource] = {}


def module_source(fn: Callable[..., Any]) -> ModuleSource | None:
    """Return the source of the module that defines `fn`; to be called before the file changes."""
    function = inspect.unwrap(fn)
    if not isinstance(function, FunctionType):
        return None
    filename = function.__code__.co_filename
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename, function.__globals__))
    if not text:
        return None
    known = _sources.get(filename)
    if known is None or known.text != text:
        known = _sources[filename] = ModuleSource(filename, text)
    return known


def definition_of(fn: Callable[..., Any], source: ModuleSource | None = None) -> FunctionDefinition | None:
    """Return the `def` that `fn` comes from, possibly nested; None when its source is missing."""
    source = source or module_source(fn)
    function = inspect.unwrap(fn)
    if source is None or not isinstance(function, FunctionType):
        return None
    code = function.__code__
    return source.definitions.get((code.co_name, code.co_firstlineno))


def first_line(node: FunctionDefinition) -> int:
    """Return the first line of a definition: that of its first decorator, as in its code object."""
    return min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
