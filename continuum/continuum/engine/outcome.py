"""How a run stands after a step: still going, or one of the ways to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Completed:
    """The workflow function returned `value`."""

    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """The workflow function raised `error`."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The run was asked to stop, and has."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The run waits for a fixed deploy or an operator; `reason` says for what.

    `kind` is ``drift``, ``poison`` or ``corrupt``.
    """

    kind: str
    reason: str


Outcome: TypeAlias = Completed | Failed | Cancelled | Blocked
