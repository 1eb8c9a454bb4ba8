"""State that outlives a run: module-level names that the module itself changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from continuum.scanner.scopes import FunctionNode, Kind, Scope, function_scope
from continuum.scanner.standard_library import words

MUTATORS = words(
    "append extend insert remove pop clear update setdefault popitem add discard sort reverse appendleft "
    "popleft extendleft rotate subtract difference_update intersection_update symmetric_difference_update"
)
# Objects that every use changes.
STATEFUL = words(
    """
    asyncio.Lock() asyncio.Event() asyncio.Condition() asyncio.Semaphore() asyncio.BoundedSemaphore()
    asyncio.Barrier() asyncio.Queue() asyncio.LifoQueue() asyncio.PriorityQueue() asyncio.Future()
    itertools.count() itertools.cycle() builtins.iter()
    """
)
_CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = words(
    "list dict set bytearray deque defaultdict Counter OrderedDict ChainMap WeakValueDictionary count"
)


def root_name(node: ast.AST) -> ast.Name | None:
    """Return the name at the root of `name.a[b].c`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def is_container(node: ast.AST | None) -> bool:
    """Tell whether an expression makes a mutable container."""
    if isinstance(node, ast.Call):
        last = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if isinstance(node.func, ast.Subscript):
            return is_container(ast.Call(node.func.value, [], []))
        return last in _MAKERS
    return isinstance(node, _CONTAINERS)


def changed_names(tree: ast.Module, module: Scope) -> frozenset[str]:
    """Return the names of the module that its own functions change while the process runs."""
    return frozenset(
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in _changed_in(node, module)
        if name in module.bindings
    )


def _changed_in(function: FunctionNode, module: Scope) -> Iterator[str]:
    scope = function_scope(function, module)
    for node in ast.walk(function):
        for name in _changes(node, scope):
            if name not in scope.bindings or name in scope.elsewhere:
                yield name


def _changes(node: ast.AST, scope: Scope) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in scope.elsewhere:
            yield name
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            root = root_name(node)
            if root is not None:
                yield root.id
        case ast.Call(func=ast.Attribute(value=base, attr=attribute)) if attribute in MUTATORS:
            root = root_name(base)
            if root is not None:
                yield root.id
        case ast.AugAssign(target=ast.Name(id=name)) if name in scope.elsewhere:
            yield name
        case _:
            pass


def is_state(scope: Scope, name: str) -> bool:
    """Tell whether a name of a module holds a mutable container, or a constant that may be bound again."""
    bindings = scope.bindings.get(name, [])
    return any(
        binding.kind is Kind.VALUE and (is_container(binding.node) or isinstance(binding.node, ast.Constant))
        for binding in bindings
    )
