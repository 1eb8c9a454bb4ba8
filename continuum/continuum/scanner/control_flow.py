"""Exception handlers that swallow the engine's own exceptions, and finally blocks that drop them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from continuum.scanner import rules
from continuum.scanner.resolution import Dotted, Resolver
from continuum.scanner.rules import Rule
from continuum.scanner.scopes import Scope

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_CATCH_ALL = frozenset(("builtins.BaseException", "builtins.GeneratorExit", "builtins.BaseExceptionGroup"))
_CANCELLATION = frozenset(
    ("asyncio.CancelledError", "asyncio.exceptions.CancelledError", "concurrent.futures.CancelledError")
)


def own_nodes(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk statements without entering functions and classes defined in them."""
    stack = list(statements)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _SCOPES):
            stack.extend(ast.iter_child_nodes(node))


def has_effect(statements: Iterable[ast.stmt], scope: Scope, resolver: Resolver) -> bool:
    """Tell whether the engine can raise while these run: at an await, or in an effect without one."""
    nodes = list(own_nodes(statements))
    if any(
        isinstance(node, _WAITS) or (isinstance(node, ast.comprehension) and node.is_async) for node in nodes
    ):
        return True
    named = (resolver.resolve(node, scope) for node in nodes if isinstance(node, ast.Attribute | ast.Name))
    return any(isinstance(one, Dotted) and one.name.startswith("continuum.") for one in named)


def rule_for_catching(named: ast.expr | None, scope: Scope, resolver: Resolver) -> Rule | None:
    """Return the rule that catching these exceptions breaks; None as `named` means a bare `except`."""
    if named is None:
        return rules.SWALLOWED
    choices = named.elts if isinstance(named, ast.Tuple) else [named]
    names = {
        one.name for one in (resolver.resolve(choice, scope) for choice in choices) if isinstance(one, Dotted)
    }
    if names & _CATCH_ALL:
        return rules.SWALLOWED
    return rules.CANCELLATION if names & _CANCELLATION else None


def reraises(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler always raises what it caught again."""
    return _ends_in_raise(handler.body, handler.name) and not any(
        isinstance(node, ast.Return | ast.Break | ast.Continue) for node in own_nodes(handler.body)
    )


def _ends_in_raise(body: list[ast.stmt], name: str | None) -> bool:
    match body[-1] if body else None:
        case ast.Raise(exc=None):
            return True
        case ast.Raise(exc=ast.Name(id=raised)):
            return raised == name
        case ast.If(body=then, orelse=otherwise):
            return _ends_in_raise(then, name) and _ends_in_raise(otherwise, name)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return _ends_in_raise(inner, name)
        case ast.Try(body=tried, handlers=handlers, finalbody=last):
            return _ends_in_raise(last, name) or (not handlers and _ends_in_raise(tried, name))
        case _:
            return False


def early_exits(finalbody: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements that leave a finally block early and so drop the exception being raised."""
    yield from _exits_in(finalbody, in_loop=False)


def _exits_in(statements: Iterable[ast.AST], in_loop: bool) -> Iterator[ast.AST]:
    for node in statements:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
            yield node
        elif not isinstance(node, _SCOPES):
            yield from _exits_in(ast.iter_child_nodes(node), in_loop or isinstance(node, _LOOPS))
