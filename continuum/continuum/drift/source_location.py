"""Finds a mismatch in the workflow's source: its line, its statement, and the names in the code after it."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Raise)


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A place in the code: its `line`, and the whole `statement`, "" if an `if` block cannot hold it.

    `target` is the variable that the statement assigns. `names_after` are the names in the rest of the
    workflow, or in all of it if there is no line; None if they are not known.
    """

    line: str = ""
    statement: str = ""
    target: str = ""
    names_after: frozenset[str] | None = None


def locate(fn: Callable[..., Any], where: str) -> SourceLocation:
    """Return the location that `where` names as `end/of/path.py:line`; if it is empty, all of `fn`."""
    code = fn.__code__
    lines = linecache.getlines(code.co_filename)
    path_end, _, number = where.rpartition(":")
    at = int(number) if path_end else 0
    if path_end and not code.co_filename.replace("\\", "/").endswith(path_end):
        return SourceLocation()
    line = lines[at - 1].strip() if 0 < at <= len(lines) else ""
    text = "".join(lines)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return SourceLocation(line)
    own = next((node for node in _functions(tree) if _first_line(node) == code.co_firstlineno), None)
    if not path_end:
        return SourceLocation() if own is None else SourceLocation(names_after=frozenset(_names(own, 0, fn)))
    statement = _statement(tree, at)
    if own is None or statement is None or not own.lineno <= at <= (own.end_lineno or 0):
        # The line is in a helper: the code that follows its return is not searched.
        names_after = None
    else:
        names_after = frozenset(_names(own, statement.end_lineno or at, fn))
    if not isinstance(statement, _SIMPLE):
        return SourceLocation(line, names_after=names_after)
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    if isinstance(statement, ast.AnnAssign):
        target = ast.unparse(statement.target)
    return SourceLocation(line, _source(lines, statement), target, names_after)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)


def _statement(tree: ast.AST, line: int) -> ast.stmt | None:
    """Return the innermost statement of a line."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(found, key=lambda node: (node.lineno, -(node.end_lineno or 0)), default=None)


def _source(lines: list[str], statement: ast.stmt) -> str:
    """Return the lines of a statement without its indentation."""
    margin = statement.col_offset
    part = [line.rstrip() for line in lines[statement.lineno - 1 : statement.end_lineno]]
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in part)


def _names(function: ast.AST, after: int, fn: Callable[..., Any]) -> Iterator[str]:
    """Yield the names that the code below a line refers to, as spelled there and as runs know them."""
    for node in ast.walk(function):
        if getattr(node, "lineno", 0) <= after:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        else:
            continue
        known = getattr(_object(node, fn), "name", None)
        if isinstance(known, str):
            yield known


def _object(node: ast.expr, fn: Callable[..., Any]) -> Any:
    if isinstance(node, ast.Name):
        return fn.__globals__.get(node.id)
    if isinstance(node, ast.Attribute):
        return inspect.getattr_static(_object(node.value, fn), node.attr, None)
    return None
