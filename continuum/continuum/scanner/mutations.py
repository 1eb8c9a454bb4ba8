"""Reports assignments and mutations of what belongs to the module and not to the run."""

from __future__ import annotations

import ast

from continuum.scanner import rules
from continuum.scanner.module_state import MUTATORS, is_container, root_name
from continuum.scanner.resolution import LocalClass
from continuum.scanner.scopes import Scope
from continuum.scanner.walker import Walker


def visit_assign(walker: Walker, node: ast.Assign) -> None:
    """Visit `targets = value`."""
    if any(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
        walker.ordered(node.value)
    for target in node.targets:
        visit_target(walker, target)
    walker.visit(node.value)


def visit_annotated(walker: Walker, node: ast.AnnAssign) -> None:
    """Visit `target: annotation = value`; annotations have no effect and are skipped."""
    visit_target(walker, node.target)
    if node.value is not None:
        walker.visit(node.value)


def visit_augmented(walker: Walker, node: ast.AugAssign) -> None:
    """Visit `target += value`."""
    visit_target(walker, node.target)
    walker.visit(node.value)


def visit_delete(walker: Walker, node: ast.Delete) -> None:
    """Visit `del targets`."""
    for target in node.targets:
        visit_target(walker, target)


def visit_target(walker: Walker, target: ast.expr) -> None:
    """Report a target that does not belong to this run."""
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            visit_target(walker, part)
        return
    root = root_name(target)
    if isinstance(target, ast.Name):
        if _is_declared_global(walker, target.id):
            walker.report(rules.GLOBAL_WRITE, target, target.id)
    elif root is not None and (is_shared(walker, root.id) or _is_class(walker, root)):
        walker.report(rules.GLOBAL_WRITE, target, ast.unparse(target))
    else:
        walker.children(target)


def is_mutation(walker: Walker, function: ast.Attribute) -> bool:
    """Report a call like `SEEN.append(x)` on a container of the module; return whether it is one."""
    root = root_name(function.value)
    if function.attr not in MUTATORS or root is None:
        return False
    if not is_shared(walker, root.id) and not _is_class(walker, root):
        return False
    bindings = walker.module.scope.bindings.get(root.id, [])
    of_class = function.value is not root and _is_class(walker, root)
    if not of_class and not any(is_container(binding.node) for binding in bindings):
        return False
    walker.report(rules.GLOBAL_WRITE, function, f"{ast.unparse(function)}()")
    return True


def is_shared(walker: Walker, name: str) -> bool:
    """Tell whether a name belongs to the module and not to the run."""
    found = walker.scope.lookup(name)
    return found is not None and found[1] is walker.module.scope


def _is_class(walker: Walker, root: ast.Name) -> bool:
    """Tell whether a name is a class: all runs of the process share its attributes."""
    return isinstance(walker.resolver.resolve(root, walker.scope), LocalClass)


def _is_declared_global(walker: Walker, name: str) -> bool:
    scope: Scope | None = walker.scope
    while scope is not None and scope is not walker.module.scope:
        if name in scope.elsewhere:
            return is_shared(walker, name)
        scope = scope.parent
    return False
