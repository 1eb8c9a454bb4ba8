"""Reports handlers around effects: what `try` and `suppress` would swallow, and what `finally` would drop."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.control_flow import early_exits, has_effect, reraises, rule_for_catching
from continuum.scanner.mutations import visit_target
from continuum.scanner.resolution import Dotted
from continuum.scanner.walker import Walker


def visit_try(walker: Walker, node: ast.Try | ast.TryStar) -> None:
    """Visit a try statement and all its blocks."""
    if has_effect(node.body, walker.scope, walker.resolver):
        _check_handlers(walker, node)
        for leaving in early_exits(node.finalbody):
            walker.report(rules.FINALLY, leaving, type(leaving).__name__.lower())
    walker.visit_all((*node.body, *node.orelse, *node.finalbody))
    for handler in node.handlers:
        # A caught class is only named, not used.
        walker.visit_all(handler.body)


def _check_handlers(walker: Walker, node: ast.Try | ast.TryStar) -> None:
    for handler in node.handlers:
        rule = rule_for_catching(handler.type, walker.scope, walker.resolver)
        if rule is None:
            continue
        if not reraises(handler):
            named = "except" if handler.type is None else f"except {ast.unparse(handler.type)}"
            walker.report(rule, handler, named)
        if rule is rules.SWALLOWED:
            return


def visit_with(walker: Walker, node: ast.With | ast.AsyncWith) -> None:
    """Visit a with statement."""
    for item in node.items:
        if isinstance(item.context_expr, ast.Call):
            _check_suppress(walker, node, item.context_expr)
        walker.visit(item.context_expr)
        if item.optional_vars is not None:
            visit_target(walker, item.optional_vars)
    walker.visit_all(node.body)


def _check_suppress(walker: Walker, node: ast.With | ast.AsyncWith, call: ast.Call) -> None:
    if walker.resolver.resolve(call.func, walker.scope) != Dotted("contextlib.suppress"):
        return
    found = [rule_for_catching(named, walker.scope, walker.resolver) for named in call.args]
    if has_effect(node.body, walker.scope, walker.resolver):
        for rule in (rules.SWALLOWED, rules.CANCELLATION):
            if rule in found:
                walker.report(rule, call, ast.unparse(call), "suppress `Exception`")
                return
