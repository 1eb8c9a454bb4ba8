"""Scopes and the names bound in them, read from the syntax tree alone.

A name may be bound several times in one scope; all its bindings are kept, in the order of the text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Owner: TypeAlias = ast.Module | ast.ClassDef | FunctionNode | ast.ListComp
Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Kind(Enum):
    """How a name gets its value."""

    IMPORT = auto()
    FUNCTION = auto()
    CLASS = auto()
    VALUE = auto()
    PARAMETER = auto()
    OPAQUE = auto()


@dataclass(frozen=True, slots=True)
class Binding:
    """One way a name is bound: `dotted` for an import, else `node`, and `annotation` if there is one."""

    kind: Kind
    node: ast.AST | None = None
    dotted: str = ""
    annotation: ast.expr | None = None


class Scope:
    """The names of a module, class, function or comprehension, and the scope around it."""

    __slots__ = ("bindings", "elsewhere", "node", "package", "parent", "stars", "walruses")

    def __init__(self, node: ast.AST, parent: Scope | None, package: str = "") -> None:
        self.node = node
        self.parent = parent
        self.package: str = package or (parent.package if parent is not None else "")
        # Looking for `:=` reads every expression again; most modules contain none.
        self.walruses: bool = parent is None or parent.walruses
        self.bindings: dict[str, list[Binding]] = {}
        # Names declared `global` or `nonlocal`, which are bound in another scope.
        self.elsewhere: set[str] = set()
        self.stars: list[str] = []

    def bind(self, name: str, binding: Binding) -> None:
        """Add a binding."""
        self.bindings.setdefault(name, []).append(binding)

    def lookup(self, name: str) -> tuple[list[Binding], Scope] | None:
        """Return the bindings of a name and the scope they are in, as Python looks names up."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.bindings.get(name)
            seen_here = scope is self or not isinstance(scope.node, ast.ClassDef)
            if found is not None and seen_here and name not in scope.elsewhere:
                return found, scope
            scope = scope.parent
        return None

    def is_within(self, other: Scope) -> bool:
        """Tell whether this is the other scope or inside it."""
        scope: Scope | None = self
        while scope is not None:
            if scope is other:
                return True
            scope = scope.parent
        return False


def module_scope(tree: ast.Module, package: str, walruses: bool = True) -> Scope:
    """Return the scope of a module; its relative imports start from `package`."""
    scope = Scope(tree, None, package)
    scope.walruses = walruses
    _bind_statements(tree.body, scope)
    return scope


def function_scope(node: FunctionNode, parent: Scope) -> Scope:
    """Return the scope of a function's body."""
    scope = Scope(node, parent)
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        scope.bind(argument.arg, Binding(Kind.PARAMETER, node, annotation=argument.annotation))
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            scope.bind(rest.arg, Binding(Kind.OPAQUE, node))
    if isinstance(node, ast.Lambda):
        _bind_walruses(node.body, scope)
    else:
        _bind_statements(node.body, scope)
    return scope


def class_scope(node: ast.ClassDef, parent: Scope) -> Scope:
    """Return the scope of a class body."""
    scope = Scope(node, parent)
    _bind_statements(node.body, scope)
    return scope


def comprehension_scope(node: ast.AST, generators: list[ast.comprehension], parent: Scope) -> Scope:
    """Return the scope of a comprehension."""
    scope = Scope(node, parent)
    for generator in generators:
        _bind_target(generator.target, scope)
    return scope


def _bind_statements(statements: Iterable[ast.stmt], scope: Scope) -> None:
    for statement in statements:
        binder = _BINDERS.get(type(statement))
        if binder is not None:
            binder(statement, scope)
        for block in _blocks(statement):
            _bind_statements(block, scope)
        _bind_walruses(statement, scope)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for field in ("body", "orelse", "finalbody"):
        block = getattr(statement, field, None)
        if block:
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _bind_walruses(node: ast.AST, scope: Scope) -> None:
    """Bind `:=` targets in the statement's own expressions; comprehensions bind them in this scope too."""
    if not scope.walruses:
        return
    stack: list[ast.AST] = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, ast.NamedExpr):
            scope.bind(here.target.id, Binding(Kind.VALUE, here.value))
        for name, value in here.__dict__.items():
            if isinstance(value, ast.expr):
                stack.append(value)
            elif isinstance(value, list) and name not in _NOT_OWN_EXPRESSIONS:
                stack.extend(part for part in value if isinstance(part, _CARRIERS))


_NOT_OWN_EXPRESSIONS = frozenset(("body", "orelse", "finalbody", "handlers", "cases", "type_params"))
_CARRIERS = (ast.expr, ast.keyword, ast.comprehension, ast.withitem)


def _bind_import(node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        top = alias.name.partition(".")[0]
        dotted = alias.name if alias.asname else top
        scope.bind(alias.asname or top, Binding(Kind.IMPORT, node, dotted))


def _bind_import_from(node: ast.ImportFrom, scope: Scope) -> None:
    module = node.module or ""
    if node.level:
        parts = scope.package.split(".") if scope.package else []
        kept = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
        # An import from above the top package must not match another module.
        module = ".".join([*(kept or ["."]), *filter(None, [module])])
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(module)
        else:
            scope.bind(alias.asname or alias.name, Binding(Kind.IMPORT, node, f"{module}.{alias.name}"))


def _bind_function(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    scope.bind(node.name, Binding(Kind.FUNCTION, node))


def _bind_class(node: ast.ClassDef, scope: Scope) -> None:
    scope.bind(node.name, Binding(Kind.CLASS, node))


def _bind_assignment(node: ast.Assign, scope: Scope) -> None:
    for target in node.targets:
        _bind_target(target, scope, node.value)


def _bind_annotated(node: ast.AnnAssign, scope: Scope) -> None:
    if isinstance(node.target, ast.Name):
        scope.bind(node.target.id, Binding(Kind.VALUE, node.value, annotation=node.annotation))


def _bind_loop(node: ast.For | ast.AsyncFor, scope: Scope) -> None:
    _bind_target(node.target, scope)


def _bind_with(node: ast.With | ast.AsyncWith, scope: Scope) -> None:
    for item in node.items:
        if item.optional_vars is not None:
            _bind_target(item.optional_vars, scope, item.context_expr)


def _bind_try(node: ast.Try | ast.TryStar, scope: Scope) -> None:
    for handler in node.handlers:
        if handler.name:
            scope.bind(handler.name, Binding(Kind.OPAQUE, handler))


def _bind_match(node: ast.Match, scope: Scope) -> None:
    for case in node.cases:
        for part in ast.walk(case.pattern):
            name = getattr(part, "rest" if isinstance(part, ast.MatchMapping) else "name", None)
            if isinstance(name, str):
                scope.bind(name, Binding(Kind.OPAQUE, part))


def _bind_elsewhere(node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    scope.elsewhere.update(node.names)


def _bind_target(target: ast.expr, scope: Scope, value: ast.expr | None = None) -> None:
    match target:
        case ast.Name(id=name):
            scope.bind(name, Binding(Kind.VALUE if value is not None else Kind.OPAQUE, value))
        case ast.Starred(value=inner):
            _bind_target(inner, scope)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            matched = len(values) == len(targets) and not any(
                isinstance(part, ast.Starred) for part in (*values, *targets)
            )
            for index, part in enumerate(targets):
                _bind_target(part, scope, values[index] if matched else None)
        case _:
            pass


# By the class of a statement: a `match` over thirty classes is measurably slower.
_BINDERS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Import: _bind_import,
    ast.ImportFrom: _bind_import_from,
    ast.FunctionDef: _bind_function,
    ast.AsyncFunctionDef: _bind_function,
    ast.ClassDef: _bind_class,
    ast.Assign: _bind_assignment,
    ast.AnnAssign: _bind_annotated,
    ast.For: _bind_loop,
    ast.AsyncFor: _bind_loop,
    ast.With: _bind_with,
    ast.AsyncWith: _bind_with,
    ast.Try: _bind_try,
    ast.TryStar: _bind_try,
    ast.Match: _bind_match,
    ast.Global: _bind_elsewhere,
    ast.Nonlocal: _bind_elsewhere,
}
