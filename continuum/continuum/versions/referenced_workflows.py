"""The workflows that a workflow's code names: it may start them as children or continue as them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from continuum.definitions.workflow import Workflow


def with_referenced(workflows: Iterable[Workflow[..., Any]]) -> list[Workflow[..., Any]]:
    """Return the workflows and, transitively, all that their code names, each once."""
    reached = {id(workflow): workflow for workflow in workflows}
    waiting = list(reached.values())
    while waiting:
        for named in _workflows_in(waiting.pop(0).fn):
            if id(named) not in reached:
                reached[id(named)] = named
                waiting.append(named)
    return list(reached.values())


def _workflows_in(code: Callable[..., object]) -> Iterator[Workflow[..., Any]]:
    """Yield the workflows that a function names, directly or through functions of its module."""
    seen: set[int] = set()
    waiting: list[object] = [code]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, Workflow):
            yield found
        elif isinstance(found, FunctionType) and found.__module__ == code.__module__:
            waiting += _named_by(found)


def _named_by(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # not bound yet
    for name in _names_in(function.__code__):
        if name in function.__globals__:
            value = function.__globals__[name]
            yield value
            if isinstance(value, type(_names_in)) or not hasattr(value, "__dict__"):
                continue
            # `module.child_flow`: the attribute is one of the names too.
            yield from (
                vars(value)[attribute]
                for attribute in _names_in(function.__code__)
                if attribute in vars(value)
            )


def _names_in(code: CodeType) -> set[str]:
    """Return every global or attribute that code names, including its nested functions."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
