"""The normal form of code: its syntax tree as text that depends on the meaning alone, equal on every Python.

`ast.dump` does not serve: its output differs between Pythons (type parameters, omitted defaults). Positions,
docstrings, contexts and empty fields are left out, so a field that a later Python adds does not change the
form of code that does not use it. The names that a definition takes from outside are collected on the way.
"""

from __future__ import annotations

import ast
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NO_MEANING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


class NormalForm:
    """Writes trees as text; `names` are those they read and do not bind, in order of first use."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.names: dict[str, None] = {}
        self._bound: list[frozenset[str]] = []

    def write(self, value: Any) -> None:
        """Write a node, a list of nodes, or the value of a field."""
        if isinstance(value, ast.AST):
            self._node(value)
        elif isinstance(value, list):
            self.parts.append("[")
            for item in value:
                self.write(item)
                self.parts.append(",")
            self.parts.append("]")
        else:
            self.parts.append(literal(value))

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.Constant):
            self.parts.append(f"Constant({literal(node.value)})")
        elif isinstance(node, ast.JoinedStr):
            self.parts.append("JoinedStr")
            self.write(_joined(node))
        elif isinstance(node, _COMPREHENSIONS):
            self._bound.append(frozenset(_targets(node)))
            self._fields(node)
            self._bound.pop()
        else:
            self._fields(node)

    def _name(self, node: ast.Name) -> None:
        self.parts.append(f"Name({node.id})")
        if isinstance(node.ctx, ast.Load) and not any(node.id in bound for bound in self._bound):
            self.names.setdefault(node.id)

    def _fields(self, node: ast.AST) -> None:
        parts = self.parts
        parts.append(type(node).__name__)
        parts.append("(")
        for name in _meaningful(type(node)):
            value = getattr(node, name, None)
            if name == "body" and isinstance(value, list):
                value = _without_docstring(node, value)
            if value is None or value == []:
                continue
            parts.append(f"{name}=")
            if name == "body" and isinstance(node, _FUNCTIONS):
                # Decorators, defaults and annotations belong to the surrounding scope.
                self._bound.append(frozenset(bound_by(node)))
                self.write(value)
                self._bound.pop()
            else:
                self.write(value)
        parts.append(")")


def _meaningful(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = _fields_of.get(kind)
    if fields is None:
        fields = _fields_of[kind] = tuple(sorted(set(kind._fields) - _NO_MEANING))
    return fields


_fields_of: dict[type[ast.AST], tuple[str, ...]] = {}


def literal(value: object) -> str:
    """Return a text that determines the type and the value of a constant."""
    if type(value) is int:
        return hex(value)  # Python limits the number of decimal digits
    return f"{type(value).__name__} {value!a}"  # as ASCII: Pythons differ in which characters they print


def _without_docstring(node: ast.AST, body: list[Any]) -> list[Any]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return body
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body


def _joined(node: ast.JoinedStr) -> list[ast.expr]:
    """Join adjacent text parts of an f-string: Pythons split them in different places."""
    joined: list[ast.expr] = []
    for value in node.values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if joined and isinstance(previous := joined[-1], ast.Constant):
                joined[-1] = ast.Constant(str(previous.value) + value.value)
                continue
            if not value.value:
                continue
        joined.append(value)
    return joined


def bound_by(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Return the names that are local to a function."""
    arguments = scope.args
    bound = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    bound |= {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument is not None}
    elsewhere: set[str] = set()
    waiting: list[ast.AST] = [scope.body] if isinstance(scope, ast.Lambda) else list(scope.body)
    while waiting:
        match waiting.pop():
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.Name() | ast.Constant() | ast.Lambda():
                pass
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                elsewhere.update(names)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() as comprehension:
                bound |= _walrus(comprehension)
            case node:
                bound |= _other_bindings(node)
                waiting.extend(ast.iter_child_nodes(node))
    return bound - elsewhere


def _other_bindings(node: ast.AST) -> set[str]:
    match node:
        case ast.alias(name=name, asname=asname):
            return {asname or name.partition(".")[0]}
        case (
            ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            return {name}
        case _:
            return set()


def _walrus(comprehension: ast.AST) -> set[str]:
    return {node.target.id for node in ast.walk(comprehension) if isinstance(node, ast.NamedExpr)}


def _targets(comprehension: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> set[str]:
    return {
        node.id
        for generator in comprehension.generators
        for node in ast.walk(generator.target)
        if isinstance(node, ast.Name)
    }
