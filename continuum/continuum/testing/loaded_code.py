"""The code that an environment has loaded: the workflows it was given, and those that they name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from continuum.definitions.activity import defined_activities
from continuum.definitions.workflow import Workflow
from continuum.versions.loaded_code import Code
from continuum.versions.referenced_workflows import with_referenced


class LoadedCode:
    """The loaded workflows, with every workflow that they name."""

    def __init__(self, workflows: Iterable[Workflow[..., Any]] = ()) -> None:
        self._workflows: dict[int, Workflow[..., Any]] = {}
        self._code: Code | None = None
        for workflow in workflows:
            self.load(workflow)

    def load(self, workflow: Workflow[..., Any]) -> None:
        """Add a workflow and the workflows that it names."""
        for reached in with_referenced([workflow]):
            if id(reached) not in self._workflows:
                self._workflows[id(reached)] = reached
                self._code = None

    def has(self, name: str) -> bool:
        """Whether a workflow of that name is loaded."""
        return name in self.code.workflows

    @property
    def code(self) -> Code:
        """The loaded code; the same object until something is added."""
        if self._code is None or len(self._code.activities) != len(defined_activities()):
            self._code = Code(self._workflows.values())
        return self._code
