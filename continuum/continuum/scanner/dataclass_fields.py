"""The data class fields that a call gives values to: their defaults are not used."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from continuum.scanner.resolution import LocalClass, Resolver


def given_fields(resolver: Resolver, made_by: LocalClass, made: ast.Call | None) -> frozenset[str]:
    """Return the names of the fields that the call passes, as far as the text shows."""
    if made is None:
        return frozenset()
    given = {keyword.arg for keyword in made.keywords if keyword.arg is not None}
    for field, value in zip(_fields(resolver, made_by), made.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        given.add(field)
    return frozenset(given)


def _fields(resolver: Resolver, owner: LocalClass) -> Iterator[str]:
    """Yield the fields in the order of the initialiser: those of the base class first."""
    for base in owner.node.bases[:1]:
        parent = resolver.resolve(base, owner.scope)
        if isinstance(parent, LocalClass) and parent.node is not owner.node:
            yield from _fields(resolver, parent)
    for statement in owner.node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                if "ClassVar" not in ast.unparse(annotation) and not _is_not_positional(value):
                    yield name


def _is_not_positional(value: ast.expr | None) -> bool:
    """Tell whether a field has no position: `field(init=False)`, `field(kw_only=True)`."""
    return isinstance(value, ast.Call) and any(one.arg in ("init", "kw_only") for one in value.keywords)
