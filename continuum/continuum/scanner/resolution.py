"""What an expression refers to, as far as the text of its module shows.

`Dotted` is a name of another module or a builtin (`X()` is the result of calling X), `Local` a function of
this module, `LocalClass` a class of it, `Instance` an instance of such a class. None is any other value.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from dataclasses import dataclass
from typing import TypeAlias

from continuum.scanner.scopes import Binding, FunctionNode, Kind, Scope, class_scope
from continuum.scanner.standard_library import exports

# Longer chains of aliases do not occur in practice.
DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Dotted:
    """A name of another module."""

    name: str


@dataclass(frozen=True, slots=True)
class LocalClass:
    """A class of this module, and the scope it is defined in."""

    node: ast.ClassDef
    scope: Scope


@dataclass(frozen=True, slots=True)
class Local:
    """A function of this module, the scope it is defined in, and the class it is a method of."""

    node: FunctionNode
    scope: Scope
    owner: LocalClass | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of this module."""

    made_by: LocalClass


Resolved: TypeAlias = Dotted | Local | LocalClass | Instance | None


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Return the public name of an object of ours, whichever of our modules it was imported from."""
    parts = name.split(".")
    if parts[0] != "continuum":
        return name
    for length in range(len(parts) - 1, 1, -1):
        if ".".join(parts[:length]) in sys.modules:
            public = parts[length].removesuffix("()") in sys.modules["continuum"].__all__
            return ".".join(["continuum", *parts[length:]]) if public else name
    return name


class Resolver:
    """Resolves the expressions of one module; `owner` is the class whose method is being walked."""

    def __init__(self) -> None:
        self.owner: LocalClass | None = None
        self._members: dict[int, Scope] = {}
        # None while a name is being resolved, so that `x = x / 2` ends.
        self._names: dict[tuple[Scope, str], Resolved] = {}

    def resolve(self, node: ast.AST | None, scope: Scope, depth: int = 0) -> Resolved:
        """Return what an expression refers to."""
        if depth > DEEPEST:
            return None
        # Names and attributes are nearly all; a `match` tries one class after the other and is slower.
        if isinstance(node, ast.Name):
            return self._name(node.id, scope, depth + 1)
        if isinstance(node, ast.Attribute):
            return self.member(self.resolve(node.value, scope, depth + 1), node.attr, depth + 1)
        match node:
            case ast.Call():
                return self._call(node, scope, depth + 1)
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.resolve(value, scope, depth + 1)
            case ast.Lambda():
                return Local(node, scope)
            case ast.IfExp(body=body, orelse=orelse):
                return self._first([body, orelse], scope, depth)
            case ast.BoolOp(values=values):
                return self._first(values, scope, depth)
            case ast.BinOp(left=left, op=ast.Div()):
                path = self.resolve(left, scope, depth + 1)
                return path if isinstance(path, Dotted) and path.name.startswith("pathlib.") else None
            case ast.Subscript(value=value):
                # `asyncio.Queue[int]` is still the class; `os.environ["X"]` was checked as `os.environ`.
                generic = self.resolve(value, scope, depth + 1)
                return generic if isinstance(generic, Dotted | LocalClass) else None
            case _:
                return None

    def member(self, base: Resolved, attribute: str, depth: int = 0) -> Resolved:
        """Return what `base.attribute` refers to."""
        match base:
            case Dotted(name=name):
                if name.startswith("pathlib.Path()") and attribute in ("parent", "joinpath", "with_suffix"):
                    return base
                return Dotted(canonical(f"{name}.{attribute}"))
            case LocalClass():
                return self._of_class(base, attribute, depth)
            case Instance(made_by=made_by):
                return self._of_class(made_by, attribute, depth)
            case _:
                return None

    def instance_of(self, annotation: ast.expr | None, scope: Scope, depth: int = 0) -> Resolved:
        """Return what a parameter or variable of this annotation holds."""
        match annotation:
            case ast.Constant(value=str(text)):
                try:
                    return self.instance_of(ast.parse(text, mode="eval").body, scope, depth + 1)
                except SyntaxError:
                    return None
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.instance_of(left, scope, depth + 1) or self.instance_of(right, scope, depth + 1)
            case None:
                return None
        made_by = self.resolve(annotation, scope, depth + 1)
        if isinstance(made_by, LocalClass):
            return Instance(made_by)
        if isinstance(made_by, Dotted) and made_by.name == "random.Random":
            return None  # seeded or not, it is checked where it is made
        if isinstance(made_by, Dotted) and not made_by.name.startswith(("typing.", "builtins.")):
            return Dotted(f"{made_by.name}()")
        return None

    def members(self, owner: LocalClass) -> Scope:
        """Return the scope of a class body."""
        known = self._members.get(id(owner.node))
        if known is None:
            known = self._members[id(owner.node)] = class_scope(owner.node, owner.scope)
        return known

    def _first(self, choices: list[ast.expr], scope: Scope, depth: int) -> Resolved:
        resolved = (self.resolve(choice, scope, depth + 1) for choice in choices)
        return next((one for one in resolved if one is not None), None)

    def _name(self, name: str, scope: Scope, depth: int) -> Resolved:
        found = scope.lookup(name)
        if found is None:
            return self._unbound(name, scope)
        bindings, place = found
        key = place, name
        if key not in self._names:
            self._names[key] = None
            # The last binding mostly wins: a function named like an import is defined below it.
            choices = (self._bound(name, binding, place, depth) for binding in reversed(bindings))
            self._names[key] = next((one for one in choices if one is not None), None)
        return self._names[key]

    def _unbound(self, name: str, scope: Scope) -> Resolved:
        module = scope
        while module.parent is not None:
            module = module.parent
        for star in module.stars:
            if name in exports(star):
                return Dotted(canonical(f"{star}.{name}"))
        return Dotted(f"builtins.{name}") if hasattr(builtins, name) else None

    def _bound(self, name: str, binding: Binding, scope: Scope, depth: int) -> Resolved:
        match binding:
            case Binding(kind=Kind.IMPORT, dotted=dotted):
                return Dotted(canonical(dotted))
            case Binding(kind=Kind.FUNCTION, node=ast.FunctionDef() | ast.AsyncFunctionDef() as node):
                return Local(node, scope)
            case Binding(kind=Kind.CLASS, node=ast.ClassDef() as node):
                return LocalClass(node, scope)
            case Binding(kind=Kind.PARAMETER, node=node, annotation=annotation):
                if name in ("self", "cls") and self.owner is not None and _first_parameter(node) == name:
                    return Instance(self.owner) if name == "self" else self.owner
                return self.instance_of(annotation, scope, depth)
            case Binding(kind=Kind.VALUE, node=node, annotation=annotation):
                resolved = self.resolve(node, scope, depth)
                return resolved if resolved is not None else self.instance_of(annotation, scope, depth)
            case _:
                return None

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> Resolved:
        called = self.resolve(node.func, scope, depth)
        match called:
            case Dotted(name="functools.partial" | "functools.partialmethod") if node.args:
                return self.resolve(node.args[0], scope, depth)
            case Dotted(name="builtins.getattr"):
                match node.args:
                    case [base, ast.Constant(value=str(attribute)), *_]:
                        return self.member(self.resolve(base, scope, depth), attribute, depth)
                return Dotted("builtins.getattr()")
            case Dotted(name=name):
                return Dotted(f"{name}()")
            case LocalClass():
                return Instance(called)
            case Local(node=ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns)):
                return self.instance_of(returns, called.scope, depth)
            case _:
                return None

    def _of_class(self, owner: LocalClass, attribute: str, depth: int) -> Resolved:
        members = self.members(owner)
        for binding in members.bindings.get(attribute, ()):
            if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
                return Local(binding.node, owner.scope, owner)
            resolved = self._bound(attribute, binding, members, depth)
            if resolved is not None:
                return resolved
        for base in owner.node.bases:
            parent = self.resolve(base, owner.scope, depth + 1)
            if isinstance(parent, LocalClass) and parent.node is not owner.node and depth < DEEPEST:
                inherited = self._of_class(parent, attribute, depth + 1)
                if inherited is not None:
                    return inherited
        return None


def _first_parameter(node: ast.AST | None) -> str | None:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    return next((argument.arg for argument in (*node.args.posonlyargs, *node.args.args)), None)
