"""Which code an environment has loaded: the workflows it was given, and those they may start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from continuum.activity import defined_activities
from continuum.code import Code
from continuum.workflow import Workflow


class LoadedCode:
    """Workflows, loaded with every other that they name."""

    def __init__(self, workflows: Iterable[Workflow[..., Any]] = ()) -> None:
        self._workflows: dict[int, Workflow[..., Any]] = {}
        self._code: Code | None = None
        for workflow in workflows:
            self.load(workflow)

    def load(self, workflow: Workflow[..., Any]) -> None:
        """Add a workflow and what it reaches."""
        for reached in reached_from(workflow):
            if id(reached) not in self._workflows:
                self._workflows[id(reached)] = reached
                self._code = None

    def has(self, name: str) -> bool:
        """Whether a workflow of that name is loaded."""
        return name in self.code.workflows

    @property
    def code(self) -> Code:
        """The same object until something is added."""
        if self._code is None or len(self._code.activities) != len(defined_activities()):
            self._code = Code(self._workflows.values())
        return self._code


def reached_from(workflow: Workflow[..., Any]) -> Iterator[Workflow[..., Any]]:
    """Yield a workflow and those that its code names, directly or through functions of its module."""
    seen: set[int] = set()
    waiting: list[object] = [workflow]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, Workflow):
            yield found
            found = found.fn
        if isinstance(found, FunctionType) and found.__module__ == workflow.fn.__module__:
            waiting += _named_by(found)


def _named_by(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # a name that is bound later
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
    """Return every global or attribute that code names, that of nested functions included."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
