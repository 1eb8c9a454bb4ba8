"""The code a node has loaded: which workflows it may execute, which activities it can run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from continuum.activity import Activity, defined_activities
from continuum.errors import InvalidDefinition, InvalidOption
from continuum.workflow import Workflow


class Code:
    """Workflows and activities by name."""

    def __init__(
        self, workflows: Iterable[Workflow[..., Any]], activities: Iterable[Activity[..., Any]] | None = None
    ):
        self.workflows: dict[str, Workflow[..., Any]] = {}
        for workflow in workflows:
            known = self.workflows.setdefault(workflow.name, workflow)
            if known is not workflow:
                raise InvalidDefinition(
                    f"two workflows are named {workflow.name!r} "
                    f"({known.fn.__module__} and {workflow.fn.__module__}); give one a name="
                )
        self.activities: Mapping[str, Activity[..., Any]] = (
            defined_activities()
            if activities is None
            else {activity.name: activity for activity in activities}
        )

    @property
    def versions(self) -> list[tuple[str, str]]:
        """The (workflow, version) pairs that can be executed."""
        return [(workflow.name, workflow.version) for workflow in self.workflows.values()]


def load_code(modules: Sequence[str]) -> Code:
    """Import modules by name and collect what they define or import."""
    if "" not in sys.path:
        # A console script's path lacks the directory a person stands in.
        sys.path.insert(0, "")
    workflows: dict[int, Workflow[..., Any]] = {}
    for name in modules:
        for value in vars(_import(name)).values():
            if isinstance(value, Workflow):
                workflows[id(value)] = value
    return Code(workflows.values())


def _import(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        module = name.removesuffix(".py").replace("\\", "/").rstrip("/").split("/")[-1]
        raise InvalidOption(
            f"{name!r} is not the name of a module; give {module!r}, from the directory it is in"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise InvalidOption(
                f"there is no module {name!r}; name it as in `import {name}`, from the directory it is in"
            ) from error
        raise
