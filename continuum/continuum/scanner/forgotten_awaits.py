"""Finds forgotten awaits: a statement that makes a coroutine and drops it does nothing."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.control_flow import own_nodes
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import class_name_of, decorators_of, definition_of, is_user_module
from continuum.scanner.resolution import Dotted, Local, Resolved
from continuum.scanner.scopes import Scope
from continuum.scanner.standard_library import words
from continuum.scanner.walker import Walker

_FUNCTIONS = frozenset(
    f"{module}.{name}"
    for module, names in (
        ("continuum", "sleep sleep_until wait_signal compensate compensate_all"),
        ("asyncio", "sleep wait wait_for"),
    )
    for name in words(names)
)
_SIGNALS = words("continuum.Signal")
_METHODS = words("continuum.Signal().wait continuum.saga().compensate continuum.Saga().compensate")
_STEPS = words("continuum.activity continuum.workflow")
_OBJECTS = words(
    """continuum.Activity continuum.ConfiguredActivity continuum.CompensatedActivity continuum.Workflow"""
)
# Decorators that return a coroutine function when given one.
_TRANSPARENT = _STEPS | words("continuum.pure builtins.staticmethod builtins.classmethod")
# How many `.options(...)` calls and re-exports are followed.
_DEEPEST = 6


def visit_statement(walker: Walker, node: ast.Expr) -> None:
    """Visit an expression statement."""
    call = node.value
    if isinstance(call, ast.Call) and _is_awaited(walker, call.func):
        written = f"{ast.unparse(call.func)}(...)"
        walker.report(rules.NEVER_AWAITED, call, written, f"write `await {written}`")
    walker.visit(call)


def _is_awaited(walker: Walker, function: ast.expr) -> bool:
    """Tell whether calling this only makes an awaitable."""
    resolver, module, scope = walker.resolver, walker.module, walker.scope
    resolved = resolver.resolve(function, scope)
    if resolved is not None and _makes_coroutine(module, resolved, module.live):
        return True
    function = _without_options(function, scope)
    if isinstance(function, ast.Attribute) and function.attr == "start_child":
        function = _without_options(function.value, scope)
    target = resolver.resolve(function, scope)
    return _is_step(module, target, module.live)


def _without_options(function: ast.expr, scope: Scope) -> ast.expr:
    """Return the expression to which `.options(...)` was applied, here or where a name was bound."""
    for _ in range(_DEEPEST):
        match function:
            case ast.Call(func=ast.Attribute(value=value, attr="options")):
                function = value
            case ast.Name(id=name):
                found = scope.lookup(name)
                bound = found[0][0].node if found is not None and len(found[0]) == 1 else None
                if not isinstance(bound, ast.Call):
                    return function
                function = bound
            case _:
                return function
    return function


def _makes_coroutine(module: ScannedModule, resolved: Resolved, live: bool) -> bool:
    match resolved:
        case Local(node=ast.AsyncFunctionDef() as node):
            plain = {name for name, _ in decorators_of(module, node)} <= _TRANSPARENT
            known = len(decorators_of(module, node)) == len(node.decorator_list)
            return plain and known and not _is_generator(node)
        case Dotted(name=name) if name in _FUNCTIONS or name in _METHODS:
            return True
        case Dotted(name=name) if name.endswith(".wait"):
            return _is_signal(name.removesuffix(".wait"), live)
        case _:
            return _is_step(module, resolved, live)


def _is_generator(node: ast.AsyncFunctionDef) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in own_nodes(node.body))


def _is_step(module: ScannedModule, resolved: Resolved, live: bool) -> bool:
    """Tell whether this is an activity or a workflow."""
    for _ in range(_DEEPEST):
        match resolved:
            case Local(node=node):
                return not _STEPS.isdisjoint(name for name, _ in decorators_of(module, node))
            case Dotted(name=name) if is_user_module(name.partition(".")[0], live):
                if live and class_name_of(name) in _OBJECTS:
                    return True
                found = definition_of(name)
                if found is None or found[1] == resolved:
                    return False
                module, resolved = found
            case _:
                return False
    return False


def _is_signal(name: str, live: bool) -> bool:
    if not is_user_module(name.partition(".")[0], live):
        return False
    if live and class_name_of(name) in _SIGNALS:
        return True
    found = definition_of(name)
    return found is not None and found[1] == Dotted("continuum.Signal()")
