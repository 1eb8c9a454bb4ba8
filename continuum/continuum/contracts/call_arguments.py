"""From the values of a form, by parameter, to the arguments of a start. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continuum.contracts.workflow_contract import CallContract
from continuum.errors import InvalidOption
from continuum.quoting import quoted


def call_of(contract: CallContract, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and keyword arguments for `client.start(...)` from values by parameter.

    Raises `InvalidOption` where the values cannot be placed; whether they fit, the schema says.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    rest = dict(given)
    gap = None
    for name, kind in contract.parameters:
        if kind == "more":
            continue
        if name not in rest:
            gap = gap or (name if kind in ("positional", "either") else None)
            continue
        value = rest.pop(name)
        if kind == "keyword" or (kind == "either" and gap is not None):
            kwargs[name] = value
        elif gap is not None and (kind == "positional" or value):
            raise InvalidOption(f"{contract.name} takes {name} by its place; give {gap} before it")
        elif kind == "rest":
            args += value
        else:
            args.append(value)
    if rest and not any(kind == "more" for _, kind in contract.parameters):
        unknown = ", ".join(map(quoted, sorted(rest)))
        raise InvalidOption(f"{contract.name} has no parameter {unknown}")
    return tuple(args), kwargs | rest
