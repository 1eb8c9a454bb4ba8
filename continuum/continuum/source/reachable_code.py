"""The code that belongs to a workflow: everything it reaches inside its own module.

Functions, classes with their methods, and module-level values are followed through any number of names.
Activities, workflows and signals count by name only, because their effects are journaled. Imports count by
their dotted names. The variables that a nested function takes from its closure are looked up in the
function object.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from continuum.source.definition import Definition, is_workflow_decorator
from continuum.source.module_source import FunctionDefinition, ModuleSource, definition_of
from continuum.source.normal_form import NormalForm, literal

# Our own objects count by name alone: the file that holds one must not make another version.
_OUR_PACKAGE = __name__.partition(".")[0]

_PLAIN = (str, bytes, int, float, bool, type(None))

_bindings: WeakKeyDictionary[ModuleSource, dict[str, list[ast.stmt]]] = WeakKeyDictionary()


def reachable_form(fn: Callable[..., Any], source: ModuleSource, root: FunctionDefinition) -> Iterator[str]:
    """Yield the normal form of a workflow's function, then of what it reaches, in order of first use."""
    function = inspect.unwrap(fn)
    assert isinstance(function, FunctionType)
    reach = _Reach(source, function.__globals__)
    yield function.__qualname__
    reach.follow(_without_workflow_decorator(root, function), _closure(function))
    yield from reach.parts


class _Reach:
    """Follows each name of one module once."""

    def __init__(self, source: ModuleSource, namespace: Mapping[str, Any]) -> None:
        self.parts: list[str] = []
        self._source = source
        self._namespace = namespace
        self._module = _bindings_of(source)
        self._seen: set[object] = set()

    def follow(self, node: ast.AST, closure: Mapping[str, Any]) -> None:
        """Write `node` and everything it takes from outside; `closure` holds its free variables."""
        form = NormalForm()
        form.write(node)
        self.parts += form.parts
        for name in form.names:
            if name in closure:
                self._closure_value(name, closure[name])
            elif name in self._module and name not in self._seen:
                self._seen.add(name)
                self._global(name)

    def _global(self, name: str) -> None:
        value = self._namespace.get(name)
        if (known := _definition_form(value)) is not None:
            self.parts.append(f"\n{name}: {known}")
            return
        for statement in self._module[name]:
            self.parts.append(f"\n{name}: ")
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self.parts.append(_imported(statement, name))
                case _:
                    self.follow(statement, _closure(value))

    def _closure_value(self, name: str, value: object) -> None:
        known = _definition_form(value)
        if known is not None or isinstance(value, _PLAIN):
            self.parts.append(f"\n{name}: {literal(value) if known is None else known}")
            return
        if isinstance(value, FunctionType):
            definition = definition_of(value, self._source) if value.__globals__ is self._namespace else None
            if definition is not None:
                if definition not in self._seen:
                    self._seen.add(definition)
                    self.parts.append(f"\n{name}: ")
                    self.follow(definition, _closure(inspect.unwrap(value)))
                return
        self.parts.append(f"\n{name}: {_dotted(value)}")


def _definition_form(value: object) -> str | None:
    # The class's own `kind`: a workflow or activity also has the attributes of the function it wraps.
    # By `__class__`, as `isinstance` asks: a mock of an activity is no activity by its type.
    return f"{value.__class__.kind} {value.name}" if isinstance(value, Definition) else None


def _dotted(value: object) -> str:
    named = value if isinstance(value, type | FunctionType) else type(value)
    package = named.__module__.partition(".")[0]
    return f"{package if package == _OUR_PACKAGE else named.__module__}.{named.__qualname__}"


def _closure(value: object) -> dict[str, Any]:
    """Return the closure variables of a nested function that are bound already."""
    if not isinstance(value, FunctionType) or value.__closure__ is None:
        return {}
    found = {}
    for name, cell in zip(value.__code__.co_freevars, value.__closure__, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _without_workflow_decorator(root: FunctionDefinition, function: FunctionType) -> FunctionDefinition:
    """Return the definition without `@workflow(...)`: label, policy and retention do not change the code."""
    bare = copy.copy(root)
    bare.decorator_list = [one for one in root.decorator_list if not _declares(one, function)]
    return bare


def _declares(decorator: ast.expr, function: FunctionType) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return is_workflow_decorator(_evaluated(target, {**function.__globals__, **_closure(function)}))


def _evaluated(node: ast.expr, namespace: Mapping[str, Any]) -> object:
    match node:
        case ast.Name(id=name):
            return namespace.get(name)
        case ast.Attribute(value=value, attr=name):
            return getattr(_evaluated(value, namespace), name, None)
        case _:
            return None


def _imported(statement: ast.Import | ast.ImportFrom, name: str) -> str:
    for alias in statement.names:
        if (alias.asname or alias.name.partition(".")[0]) != name:
            continue
        if isinstance(statement, ast.Import):
            return f"import {alias.name}"
        return f"import {'.' * statement.level}{statement.module or ''}.{alias.name}"
    raise AssertionError(f"{name} is not imported there")


def _bindings_of(source: ModuleSource) -> dict[str, list[ast.stmt]]:
    """Return the top-level statements that bind each name of a module, or change its value."""
    known = _bindings.get(source)
    if known is None:
        known = _bindings[source] = {}
        for statement in _top_level(source.tree.body):
            for name in _named_by(statement):
                known.setdefault(name, []).append(statement)
            changed = _changed_by(statement)
            # An imported name counts by its dotted name, even if this module changes the object.
            if any(not isinstance(one, ast.Import | ast.ImportFrom) for one in known.get(changed, ())):
                known[changed].append(statement)
    return known


def _top_level(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        yield statement
        for field in ("body", "orelse", "finalbody", "handlers"):
            if isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
                for inner in getattr(statement, field, ()):
                    yield from _top_level(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def _named_by(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _stored(target)}
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return set(_stored(target))
        case _:
            return set()


def _changed_by(statement: ast.stmt) -> str:
    """Return the name whose value `name[key] = value`, `name.field = value` or `name.method()` changes."""
    match statement:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target) | ast.Delete(targets=[target]):
            changed: ast.expr = target
        case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
            changed = called
        case _:
            return ""
    if isinstance(changed, ast.Name):
        return ""
    while isinstance(changed, ast.Attribute | ast.Subscript):
        changed = changed.value
    return changed.id if isinstance(changed, ast.Name) else ""


def _stored(target: ast.expr) -> Iterator[str]:
    return (
        node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
