"""Which expressions are sets, as far as one function shows: their order differs between processes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from continuum.scanner.resolution import Dotted, Instance, Local, Resolver
from continuum.scanner.scopes import Binding, Kind, Scope
from continuum.scanner.standard_library import words

_MAKERS = frozenset(("builtins.set", "builtins.frozenset"))
_TYPES = words(
    "builtins.set builtins.frozenset typing.Set typing.FrozenSet typing.AbstractSet typing.MutableSet "
    "collections.abc.Set collections.abc.MutableSet"
)
_SET_METHODS = frozenset(("union", "intersection", "difference", "symmetric_difference", "copy"))
_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
# The engine's tasks hash by the order of their creation: sets of them iterate the same way everywhere.
_TASKS = frozenset(("create_task", "ensure_future"))
_DEEPEST = 6

# Functions that depend on the order of an iterable: the arguments from this position on.
ORDERED = {
    "builtins.list": 0,
    "builtins.tuple": 0,
    "builtins.enumerate": 0,
    "builtins.iter": 0,
    "builtins.reversed": 0,
    "builtins.zip": 0,
    "builtins.map": 1,
    "builtins.filter": 1,
    "builtins.dict": 0,
    "builtins.str": 0,
    "builtins.repr": 0,
    "builtins.dict.fromkeys": 0,
    "collections.deque": 0,
    "collections.Counter": 0,
    "itertools.chain": 0,
    "itertools.chain.from_iterable": 0,
    "itertools.islice": 0,
    "itertools.cycle": 0,
    "itertools.accumulate": 0,
    "itertools.product": 0,
    "itertools.permutations": 0,
    "itertools.combinations": 0,
    "itertools.groupby": 0,
    "itertools.starmap": 1,
    "itertools.batched": 0,
    "functools.reduce": 1,
    "json.dumps": 0,
}
# Functions whose result does not depend on the order.
UNORDERED = frozenset(f"builtins.{name}" for name in words("sorted set frozenset len any all min max sum"))


def is_set(node: ast.AST | None, scope: Scope, resolver: Resolver, depth: int = 0) -> bool:
    """Tell whether an expression is known to be a set."""
    if depth > _DEEPEST:
        return False
    match node:
        case ast.Set(elts=elements):
            return not all(_is_task(element) for element in elements)
        case ast.SetComp(elt=element):
            return not _is_task(element)
        case ast.Await(value=value):
            return is_set(value, scope, resolver, depth + 1)
        case ast.Call():
            return _call_gives_set(node, scope, resolver, depth)
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, _OPERATORS):
            return any(_is_keys(side) or is_set(side, scope, resolver, depth + 1) for side in (left, right))
        case ast.Name(id=name):
            found = scope.lookup(name)
            return (
                found is not None
                and _all_sets(found[0], found[1], resolver, depth)
                and not (all(map(_is_empty, found[0])) and _takes_tasks(name, found[1].node))
            )
        case ast.Attribute(value=value, attr=attribute):
            owner = resolver.resolve(value, scope)
            if not isinstance(owner, Instance):
                return False
            members = resolver.members(owner.made_by)
            bindings = members.bindings.get(attribute) or list(_bound_to_self(owner.made_by.node, attribute))
            return _all_sets(bindings, members, resolver, depth)
        case _:
            return False


def _call_gives_set(node: ast.Call, scope: Scope, resolver: Resolver, depth: int) -> bool:
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in _SET_METHODS:
        return is_set(function.value, scope, resolver, depth + 1)
    match resolver.resolve(function, scope):
        case Local(
            node=ast.FunctionDef(returns=annotation) | ast.AsyncFunctionDef(returns=annotation), scope=place
        ):
            return annotation is not None and _is_set_type(annotation, place, resolver)
        case Dotted(name=name) if name in _MAKERS:
            return not (node.args and _holds_tasks(node.args[0]))
        case _:
            return False


def _all_sets(bindings: list[Binding], scope: Scope, resolver: Resolver, depth: int) -> bool:
    return bool(bindings) and all(_gives_set(binding, scope, resolver, depth) for binding in bindings)


def _is_empty(binding: Binding) -> bool:
    return isinstance(binding.node, ast.Call) and not binding.node.args


def _takes_tasks(name: str, around: ast.AST) -> bool:
    """Tell whether only tasks are ever added to a set."""
    nodes = list(ast.walk(around))
    made = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _is_task(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    added = [argument for node in nodes for argument in _added_to(name, node)]
    return bool(added) and all(
        _is_task(one) or (isinstance(one, ast.Name) and one.id in made) for one in added
    )


def _added_to(name: str, node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr="add" | "update"), args=arguments):
            return arguments if base == name else []
        case _:
            return []


def _bound_to_self(owner: ast.ClassDef, attribute: str) -> Iterator[Binding]:
    """Yield what the methods of a class assign to one of its attributes."""
    for node in ast.walk(owner):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
                if name == attribute:
                    yield Binding(Kind.VALUE, value)
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if name == attribute:
                    yield Binding(Kind.VALUE, node.value, annotation=node.annotation)


def _gives_set(binding: Binding, scope: Scope, resolver: Resolver, depth: int) -> bool:
    if binding.annotation is not None and _is_of_tasks(binding.annotation):
        return False
    if (
        binding.kind is Kind.VALUE
        and binding.node is not None
        and is_set(binding.node, scope, resolver, depth + 1)
    ):
        return True
    return binding.annotation is not None and _is_set_type(binding.annotation, scope, resolver)


def _is_set_type(annotation: ast.expr, scope: Scope, resolver: Resolver) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return False
    if isinstance(annotation, ast.BinOp):
        sides = annotation.left, annotation.right
        return any(_is_set_type(side, scope, resolver) for side in sides)
    if isinstance(annotation, ast.Subscript):
        if _is_of_tasks(annotation):
            return False
        annotation = annotation.value
    named = resolver.resolve(annotation, scope)
    return isinstance(named, Dotted) and named.name in _TYPES


def _is_of_tasks(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and "Task" in ast.unparse(annotation.slice)


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys"


def _holds_tasks(node: ast.expr) -> bool:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return bool(elements) and all(_is_task(element) for element in elements)
        case ast.GeneratorExp(elt=element) | ast.ListComp(elt=element):
            return _is_task(element)
        case _:
            return False


def _is_task(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in _TASKS
