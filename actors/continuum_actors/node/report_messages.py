"""The messages between control and the hosts of its node about what somebody who looks wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from continuum.operations.node_report import ProcessReport, ProcessStacks


@dataclass(frozen=True, slots=True)
class TellState:
    """To a host: say how you are, with this number."""

    number: int


@dataclass(frozen=True, slots=True)
class TellStacks:
    """To a host, urgently: say where your threads and tasks are, with this number."""

    number: int


@dataclass(frozen=True, slots=True)
class StateTold:
    """To control: the answer to `TellState`."""

    number: int
    report: ProcessReport


@dataclass(frozen=True, slots=True)
class StacksTold:
    """To control: the answer to `TellStacks`."""

    number: int
    stacks: ProcessStacks


Told: TypeAlias = StateTold | StacksTold
