"""The code that a node has loaded: the workflows and activities that it can execute."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from continuum.definitions.activity import Activity, defined_activities
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidDefinition, InvalidOption
from continuum.journal.port import Loaded
from continuum.quoting import quoted
from continuum.versions.code_digest import digest_of
from continuum.versions.pinning import pinned_source


class Code:
    """Workflows and activities by name.

    `workflows` holds the current code of each name: that with the highest label. Other versions of
    a name execute only the runs of exactly their version.
    """

    def __init__(
        self, workflows: Iterable[Workflow[..., Any]], activities: Iterable[Activity[..., Any]] | None = None
    ):
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self.loaded: list[Loaded] = []
        self._unstored = False
        self._labels: dict[tuple[str, str], Workflow[..., Any]] = {}
        self._versions: dict[tuple[str, str], Workflow[..., Any]] = {}
        for workflow in workflows:
            self._add(workflow)
        for workflow in self.workflows.values():
            # Two labels may have the same content.
            self._versions[workflow.name, workflow.version_hash] = workflow
        self.pinned = [workflow for workflow in self.all_workflows if workflow.on_change == "pin"]
        for workflow in self.pinned:
            pinned_source(workflow)  # raises now instead of when the source is needed
        self._unstored = bool(self.pinned)
        self._update_loaded()
        self.activities: Mapping[str, Activity[..., Any]] = (
            defined_activities()
            if activities is None
            else {activity.name: activity for activity in activities}
        )

    @functools.cached_property
    def digest(self) -> str:
        """A digest of this code and of the user's other modules; a deploy of other code changes it."""
        return digest_of(self.all_workflows)

    @property
    def all_workflows(self) -> list[Workflow[..., Any]]:
        """Every version of every name that was defined here; not the pinned ones loaded from the journal."""
        return list(self._labels.values())

    def workflow_for(self, name: str, version: str | None) -> Workflow[..., Any]:
        """Return the workflow of exactly this version, else the current one of that name."""
        return self._versions.get((name, version or "")) or self.workflows[name]

    def knows(self, name: str, version: str) -> bool:
        """Whether exactly this version is loaded."""
        return (name, version) in self._versions

    def claimable(self, name: str) -> Workflow[..., Any] | None:
        """Return the workflow that executes a new run of this name; None if new runs are not claimed."""
        workflow = self.workflows.get(name)
        return None if workflow is not None and self._unstored and workflow.on_change == "pin" else workflow

    def add_pinned(self, pinned: Workflow[..., Any]) -> None:
        """Add an earlier version that open runs continue with."""
        self._versions.setdefault((pinned.name, pinned.version_hash), pinned)
        self._update_loaded()

    def pinned_are_stored(self) -> None:
        """Allow runs of pinned code to be claimed: until its source is stored, a deploy would strand them."""
        self._unstored = False
        self._update_loaded()

    def _add(self, workflow: Workflow[..., Any]) -> None:
        known = self._labels.setdefault((workflow.name, workflow.label), workflow)
        if known is not workflow:
            raise InvalidDefinition(
                f"two workflows are named {quoted(workflow.name)} with label={workflow.label} "
                f"({known.fn.__module__} and {workflow.fn.__module__}); "
                "give one a name=, or the later version of the same workflow a higher label="
            )
        current = self.workflows.setdefault(workflow.name, workflow)
        if int(workflow.label) > int(current.label):
            self.workflows[workflow.name] = workflow
        self._versions[workflow.name, workflow.version_hash] = workflow

    def _update_loaded(self) -> None:
        current = {(name, workflow.version_hash) for name, workflow in self.workflows.items()}
        self.loaded = [
            Loaded(
                name,
                version,
                current=(name, version) in current,
                takes_others=(name, version) in current and workflow.on_change == "replay",
            )
            for (name, version), workflow in self._versions.items()
            if not (self._unstored and workflow.on_change == "pin")
        ]


def load_code(modules: Sequence[str]) -> Code:
    """Import modules by name and collect what they define or import."""
    if "" not in sys.path:
        # The path of a console script lacks the current directory.
        sys.path.insert(0, "")
    workflows: dict[int, Workflow[..., Any]] = {}
    for name in modules:
        for value in vars(_import(name)).values():
            if isinstance(value, Workflow):
                workflows[id(value)] = value
    code = Code(workflows.values())
    # Before user code imports more: all processes of a node are to get the same digest.
    assert code.digest
    return code


def modules_without_code(modules: Iterable[str]) -> list[str]:
    """Return which of these loaded modules neither define nor import a workflow or an activity."""
    return [
        name
        for name in modules
        if not any(isinstance(value, Workflow | Activity) for value in vars(sys.modules[name]).values())
    ]


def _import(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        module = name.removesuffix(".py").replace("\\", "/").rstrip("/").split("/")[-1]
        raise InvalidOption(
            f"{quoted(name)} is not the name of a module; give {quoted(module)}, from the directory it is in"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise InvalidOption(
                f"there is no module {quoted(name)}; name it as in `import {name}`, from the "
                "directory it is in"
            ) from error
        raise
