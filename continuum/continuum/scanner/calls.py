"""Checks calls beyond their names: side effects, argument order, dynamic calls, signals, compensations."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.default_factories import report_defaults
from continuum.scanner.mutations import is_mutation
from continuum.scanner.resolution import Dotted, LocalClass
from continuum.scanner.scopes import Kind, Scope
from continuum.scanner.sets import ORDERED, UNORDERED
from continuum.scanner.walker import Walker

# Impure unless this argument is given: by its position, counted from 1, or by its name.
_PURE_WITH = {
    "random.Random": (1, "x"),
    "time.gmtime": (1, "secs"),
    "time.asctime": (1, "t"),
    "datetime.datetime.fromtimestamp": (2, "tz"),
}
_CLASS_CHECKS = frozenset(("builtins.isinstance", "builtins.issubclass"))
_WHEN_BARE = {"datetime.datetime.fromtimestamp", "datetime.date.fromtimestamp"}
_METHODS_OF_BUILTINS = frozenset(
    name for made_by in (str, bytes, int, float, list, dict, tuple, bool, set) for name in dir(made_by)
)


def visit_call(walker: Walker, node: ast.Call) -> None:
    """Visit a call and everything in it."""
    function = node.func
    resolved = walker.called[id(function)] = walker.resolver.resolve(function, walker.scope)
    name = resolved.name if isinstance(resolved, Dotted) else ""
    if name == "continuum.side_effect":
        _visit_side_effect(walker, node)
        return
    if name == "builtins.getattr":
        _visit_getattr(walker, node)
        return
    _check_order(walker, node, name)
    _check_signal(walker, node, name)
    report_defaults(walker, node, name)
    walker.scan.compensations.record_call(walker.module, walker.reached, node, resolved)
    if name in _WHEN_BARE and not _has(node, *_PURE_WITH.get(name, (2, "tz"))):
        walker.report(rules.TIME_ZONE, node, f"{name}()")
    if isinstance(function, ast.Attribute) and function.attr == "astimezone" and not _has(node, 1, "tz"):
        # Only datetimes have this method, and without a zone it uses the host's.
        walker.report(rules.TIME_ZONE, node, f"{ast.unparse(function)}()")
    if isinstance(function, ast.Attribute) and is_mutation(walker, function):
        walker.visit_all((*node.args, *node.keywords))
        return
    if resolved is None or name.endswith("getattr()"):
        _check_runtime_value(walker, node)
    if isinstance(resolved, LocalClass):
        walker.made[id(function)] = node
    if name in _CLASS_CHECKS:
        # This only names the class and makes no instance.
        walker.visit_all(node.args[:1])
        return
    if not _is_pure(node, name) and not (_sets_own_attributes(node, name) and not walker.impure):
        walker.visit(function)
    walker.visit_all((*node.args, *node.keywords))


def _is_pure(node: ast.Call, name: str) -> bool:
    if name == "builtins.hash":
        match node.args:
            case [ast.Constant(value=int())]:
                return True
        return False
    return name in _PURE_WITH and _has(node, *_PURE_WITH[name])


def _sets_own_attributes(node: ast.Call, name: str) -> bool:
    """Tell whether this sets attributes of the run itself: another run is named by a first argument."""
    return name == "continuum.set_attributes" and len(node.args) == 1 and not node.keywords


def _has(node: ast.Call, position: int, keyword: str) -> bool:
    return len(node.args) >= position or any(one.arg == keyword for one in node.keywords)


def _visit_side_effect(walker: Walker, node: ast.Call) -> None:
    if walker.impure:
        walker.report(rules.NESTED_EFFECT, node, "continuum.side_effect()")
    before, walker.impure = walker.impure, True
    walker.visit_all((*node.args, *(keyword.value for keyword in node.keywords)))
    walker.impure = before


def _visit_getattr(walker: Walker, node: ast.Call) -> None:
    resolved = walker.resolver.resolve(node, walker.scope)
    if not isinstance(resolved, Dotted) or resolved.name != "builtins.getattr()":
        walker.called[id(node)] = resolved
        walker.refer(node, resolved, 0)
    elif id(node) in walker.called or _is_module(walker, node):
        walker.report(rules.DYNAMIC_CODE, node, f"{ast.unparse(node)}")
    walker.visit_all(node.args)


def _is_module(walker: Walker, node: ast.Call) -> bool:
    base = walker.resolver.resolve(node.args[0], walker.scope) if node.args else None
    return isinstance(base, Dotted) and "()" not in base.name


def _check_order(walker: Walker, node: ast.Call, name: str) -> None:
    if name in UNORDERED:
        for argument in node.args:
            walker.unordered.add(id(argument))
    elif name in ORDERED:
        for passed in node.args[: ORDERED[name]]:
            if isinstance(passed, ast.Attribute) and _is_input(walker, passed):
                walker.report(rules.RUNTIME_VALUE, passed, ast.unparse(passed))
        for argument in node.args[ORDERED[name] :]:
            walker.ordered(argument)
    elif isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "extend", "pop"):
        if node.func.attr == "pop" and not node.args:
            walker.ordered(node.func.value)
        for argument in node.args:
            walker.ordered(argument)


def _check_signal(walker: Walker, node: ast.Call, name: str) -> None:
    declared = walker.scan.signals
    if declared is None:
        return
    waited: str | None = None
    if name == "continuum.wait_signal":
        first = (
            node.args[0]
            if node.args
            else next((one.value for one in node.keywords if one.arg == "name"), None)
        )
        waited = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    elif name == "continuum.Signal().wait" and isinstance(node.func, ast.Attribute):
        waited = signal_named(node.func.value, walker.scope)
    if waited is not None and waited not in declared:
        walker.report(rules.UNDECLARED_SIGNAL, node, f"signal {waited!r}")


def signal_named(node: ast.expr, scope: Scope) -> str | None:
    """Return the name of the signal that a variable of this module holds."""
    found = scope.lookup(node.id) if isinstance(node, ast.Name) else None
    match found[0][0].node if found is not None else node:
        case ast.Call(args=[ast.Constant(value=str(name)), *_]):
            return name
        case _:
            return None


def _check_runtime_value(walker: Walker, node: ast.Call) -> None:
    """Report a call of a value from the input, or of an attribute that was looked up by a computed name."""
    function = node.func
    if isinstance(function, ast.Name):
        found = walker.scope.lookup(function.id)
        if found is not None and found[1] is walker.module.scope and found[0][0].kind is Kind.VALUE:
            return
        if walker.resolver.resolve(function, walker.scope) == Dotted("builtins.getattr()"):
            walker.report(rules.DYNAMIC_CODE, node, f"{ast.unparse(function)}()")
            return
    if isinstance(function, ast.Attribute) and function.attr in _METHODS_OF_BUILTINS:
        return
    if _is_input(walker, function, any_type=isinstance(function, ast.Subscript)):
        walker.report(rules.RUNTIME_VALUE, node, f"{ast.unparse(function)}()")


def _is_input(walker: Walker, node: ast.expr, *, any_type: bool = False) -> bool:
    """Tell whether an expression is part of the workflow's own input and has no annotated type."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if not isinstance(node, ast.Name) or walker.reached.caller is not None:
        return False
    found = walker.scope.lookup(node.id)
    if found is None or found[1] is not walker.top or walker.reached.owner is not None:
        return False
    binding = found[0][0]
    return binding.kind is Kind.PARAMETER and (
        any_type or binding.annotation is None or _is_any(walker, binding.annotation)
    )


def _is_any(walker: Walker, annotation: ast.expr) -> bool:
    named = walker.resolver.resolve(annotation, walker.scope)
    return isinstance(named, Dotted) and named.name in (
        "typing.Any",
        "builtins.object",
        "collections.abc.Callable",
    )
