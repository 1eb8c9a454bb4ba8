"""The outcomes of a run: the ways in which it ends, or is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from continuum.engine.ids import RunId
from continuum.failures.forgotten_frames import forget_cancellation, forget_place


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
    """The run ended because of a cancel request; `by_parent` when the end of its parent caused it."""

    by_parent: bool = False


@dataclass(frozen=True, slots=True)
class Continued:
    """The run continues as the new run `run_id`, which begins with `input` and no history.

    `signals` are the name and value of those that had arrived and that no code had taken.
    """

    run_id: RunId
    workflow: str
    input: bytes
    signals: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """The run waits for a fixed deploy or an operator; `reason` says why.

    `kind` is ``drift``, ``poison`` or ``corrupt``. The other fields repeat the facts of a drift: the
    seq of the event where code and history differ, what the journal has there, what the code wants
    instead, and the file and line of that code.
    """

    kind: str
    reason: str
    position: int | None = None
    expected: str | None = None
    actual: str | None = None
    where: str | None = None


Verdict: TypeAlias = Blocked | Continued | Cancelled
"""What can end a run in the middle of a step."""

Outcome: TypeAlias = Completed | Failed | Cancelled | Continued | Blocked


def outcome_of(root: asyncio.Task[Any], cancelled: Cancelled | None) -> Outcome:
    """Return the outcome of a run whose workflow function is done."""
    if root.cancelled():
        forget_cancellation(root)
        return cancelled or Failed(asyncio.CancelledError("the workflow cancelled itself"))
    error = root.exception()
    if error is not None:
        forget_place(root, error)
        return Failed(error)
    # After a cancel request the code may clean up and return, but the run has not completed.
    return cancelled or Completed(root.result())
