"""How a run stands after a step: still going, or one of the ways to end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias


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


def outcome_of(root: asyncio.Task[Any], *, cancel_requested: bool) -> Outcome:
    """Return how a run ended whose workflow function is done."""
    if root.cancelled():
        if cancel_requested:
            return Cancelled()
        return Failed(asyncio.CancelledError("the workflow cancelled itself"))
    error = root.exception()
    if error is not None:
        return Failed(error)
    # Asked to stop, it may have tidied up and returned.
    return Cancelled() if cancel_requested else Completed(root.result())
