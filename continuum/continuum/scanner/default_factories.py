"""Denied default factories of data classes in other modules, found where workflow code makes an instance.

The class itself is safe; the function that `default_factory=` calls may not be. A factory that is a helper
of that module is checked by its name alone; its body is not scanned.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from continuum.scanner.dataclass_fields import given_fields
from continuum.scanner.denied_names import denial_of
from continuum.scanner.module import ScannedModule
from continuum.scanner.other_modules import definition_of, is_declared, is_user_module, may_be_class
from continuum.scanner.resolution import Dotted, LocalClass
from continuum.scanner.scopes import Scope
from continuum.scanner.walker import Walker

# How many re-exports are followed.
_DEEPEST = 6


def report_defaults(walker: Walker, node: ast.Call, name: str) -> None:
    """Report each field that a call leaves to a denied factory, unless `**fields` may give a value to it."""
    if not name or walker.impure or any(keyword.arg is None for keyword in node.keywords):
        return
    found = _class_named(name, walker.module.live)
    if found is None or walker.scan.trust.covers(name) or is_declared(found[0], found[1].node):
        return
    module, made = found
    given = given_fields(module.resolver, made, node)
    members = module.resolver.members(made)
    for field, bindings in members.bindings.items():
        for dotted in (
            one for binding in bindings for one in _called_by_factory(module, binding.node, members)
        ):
            denial = denial_of(dotted) if field not in given else None
            if denial is not None:
                subject = f"{made.node.name}.{field}, by default {dotted.removeprefix('builtins.')}(),"
                walker.report(denial[0], node, subject, denial[1])
                break


def _class_named(name: str, live: bool) -> tuple[ScannedModule, LocalClass] | None:
    for _ in range(_DEEPEST):
        if "()" in name or not is_user_module(name.partition(".")[0], live) or not may_be_class(name, live):
            return None
        match definition_of(name):
            case (module, LocalClass() as made):
                return module, made
            case (_, Dotted(name=other)) if other != name:
                name = other
            case _:
                return None
    return None


def _called_by_factory(module: ScannedModule, value: ast.AST | None, scope: Scope) -> Iterator[str]:
    """Yield the dotted names of what the factory of a field calls."""
    if not isinstance(value, ast.Call):
        return
    for factory in (one.value for one in value.keywords if one.arg in ("default_factory", "factory")):
        called = (
            [part.func for part in ast.walk(factory.body) if isinstance(part, ast.Call)]
            if isinstance(factory, ast.Lambda)
            else [factory]
        )
        for part in called:
            resolved = module.resolver.resolve(part, scope)
            if isinstance(resolved, Dotted):
                yield resolved.name
