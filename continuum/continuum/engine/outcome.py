"""How a run stands after a step: still going, or one of the ways to end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from continuum.engine.ids import RunId


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
    """The run was asked to stop, and has; `by_parent` when the end of its parent asked."""

    by_parent: bool = False


@dataclass(frozen=True, slots=True)
class Continued:
    """The run has ended in favour of another, which begins with `input` and no history.

    `signals`, by name and value, have come to the run and its code had not asked for them.
    """

    run_id: RunId
    workflow: str
    input: bytes
    signals: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """The run waits for a fixed deploy or an operator; `reason` says for what.

    `kind` is ``drift``, ``poison`` or ``corrupt``. Of a drift the rest says the same in parts: at
    which event, what the journal has there, what the code asked for, and where in the code.
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
    """Return how a run ended whose workflow function is done."""
    if root.cancelled():
        return cancelled or Failed(asyncio.CancelledError("the workflow cancelled itself"))
    error = root.exception()
    if error is not None:
        return Failed(error)
    # Asked to stop, it may have tidied up and returned; it may not act as if nobody had asked.
    return cancelled or Completed(root.result())
