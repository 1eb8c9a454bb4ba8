"""The options of `@workflow(...)`, checked when the workflow is defined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from continuum.definitions.name_rules import DEFINITION_NAME_BYTES, check_name
from continuum.definitions.signal import Signal
from continuum.errors import InvalidDefinition
from continuum.quoting import quoted

OnChange: TypeAlias = Literal["replay", "wait", "pin"]
"""What happens to open runs whose code is not loaded any more: see `workflow`."""


@dataclass(frozen=True, slots=True)
class WorkflowOptions:
    """The parameters of `workflow`; see there."""

    name: str | None = None
    label: int = 1
    signals: Sequence[Signal[Any]] = ()
    retention: timedelta | None = None
    snapshot_threshold: int | None = None
    on_change: OnChange = "replay"

    def __post_init__(self) -> None:
        name = self.name
        if name is not None:
            check_name(name, "a workflow's name", most=DEFINITION_NAME_BYTES)
        if type(self.label) is not int or self.label < 1:
            raise InvalidDefinition(f"a workflow's label is a whole number from 1, not {quoted(self.label)}")
        if isinstance(self.signals, str) or not all(isinstance(each, Signal) for each in self.signals):
            raise InvalidDefinition(f"signals is a list of continuum.Signal, not {self.signals!r:.100}")
        keep = self.retention
        if keep is not None and not (isinstance(keep, timedelta) and keep >= timedelta()):
            raise InvalidDefinition(f"retention is a timedelta from 0, or None for ever, not {quoted(keep)}")
        threshold = self.snapshot_threshold
        if threshold is not None and (type(threshold) is not int or threshold < 1):
            raise InvalidDefinition(
                f"snapshot_threshold is a whole number of events from 1, or None, not {quoted(threshold)}"
            )
        if self.on_change not in get_args(OnChange):
            raise InvalidDefinition(f"on_change is 'replay', 'wait' or 'pin', not {quoted(self.on_change)}")
