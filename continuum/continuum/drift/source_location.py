"""Finds the place of a drift in the workflow's source: its line, its statement, and the names ahead of it."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from typing import Any

from continuum.drift.patch_suggestion import Place

_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Raise)


def place_of(fn: Callable[..., Any], where: str) -> Place:
    """Return the place that a message names by the end of its path; with no line, all of the workflow."""
    code = fn.__code__
    lines = linecache.getlines(code.co_filename)
    short, _, number = where.rpartition(":")
    at = int(number) if short else 0
    if short and not code.co_filename.replace("\\", "/").endswith(short):
        return Place()
    line = lines[at - 1].strip() if 0 < at <= len(lines) else ""
    text = "".join(lines)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return Place(line)
    own = next((node for node in _functions(tree) if _first_line(node) == code.co_firstlineno), None)
    if not short:
        return Place() if own is None else Place(ahead=frozenset(_names(own, 0, fn)))
    statement = _statement(tree, at)
    if own is None or statement is None or not own.lineno <= at <= (own.end_lineno or 0):
        # In a helper: what comes after it returns is not looked for.
        ahead = None
    else:
        ahead = frozenset(_names(own, statement.end_lineno or at, fn))
    if not isinstance(statement, _SIMPLE):
        return Place(line, ahead=ahead)
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    if isinstance(statement, ast.AnnAssign):
        target = ast.unparse(statement.target)
    return Place(line, _source(lines, statement), target, ahead)


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
    """Return a statement's own lines, as far to the left as they go."""
    margin = statement.col_offset
    part = [line.rstrip() for line in lines[statement.lineno - 1 : statement.end_lineno]]
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in part)


def _names(function: ast.AST, after: int, fn: Callable[..., Any]) -> Iterator[str]:
    """Yield what the code below a line refers to: as it is called there, and as runs know it."""
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
