"""Changes of many runs: what a person asks for, how far it is, and what one part of it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.operation_reasons import Reason

# So many of the runs that a search finds are shown before they are changed.
EXAMPLES = 5


class OperationState(StrEnum):
    """The state of an operation: ``running``, ``paused``, or at its end ``cancelled`` or ``completed``."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


class NewOperation(NamedTuple):
    """A change of the runs that a search finds and that have started by `until`, on the journal's clock.

    `action` is the name of a function of the journal, `payload` what it takes encoded. `arguments` has what
    else it takes, and as `recorded_as` the action that is recorded of each run. `expected` says how many runs
    the search found before, and `rate` how many are changed a second, None for as many as possible.
    """

    id: str
    action: str
    arguments: Mapping[str, Any]
    payload: bytes | None
    search: str
    namespace: str | None
    until: int
    expected: str
    rate: float | None
    actor: str
    via: str
    reason: str | None


class OperationRow(NamedTuple):
    """An operation as it is now; `held` says that somebody executes it. Newer code may have other states.

    `skipped` counts runs that took nothing: they had ended, or were so already. `failed` ones have an error
    in the record. `reasons` says why, of all parts.
    """

    id: str
    action: str
    arguments: Mapping[str, Any]
    search: str
    namespace: str | None
    until: int
    expected: str
    rate: float | None
    actor: str
    via: str
    reason: str | None
    state: str
    done: int
    skipped: int
    failed: int
    held: bool
    created_at: int
    updated_at: int
    reasons: Sequence[Reason] = ()


class Part(NamedTuple):
    """A part of an operation that was executed: the state and the counts since, and how many runs it had."""

    state: str
    done: int
    skipped: int
    failed: int
    runs: int


class Chosen(NamedTuple):
    """The next runs of an operation with their places, and the place they reach, None at the end.

    The place of a run is the first run of its chain.
    """

    runs: Sequence[tuple[RunId, RunId]]
    reached: RunId | None


class RunCount(NamedTuple):
    """How many runs a query found at a time of the journal's clock, and the first of them by id.

    With `more` there are more than `number`, or there may be: only `looked_at` runs were looked at. `skipped`
    says which of those that were counted a change would leave as they are.
    """

    at: int
    number: int
    more: bool = False
    looked_at: int | None = None
    first: Sequence[RunId] = ()
    skipped: Sequence[Reason] = ()


class CountedChange(NamedTuple):
    """The action for which runs are counted, with its arguments."""

    action: str
    arguments: Mapping[str, Any]


class Execution(NamedTuple):
    """What is executed: an operation under the token of a lease, and the conditions of its search.

    Runs that started or were forked after `until` are spared, unless they continue a chain that began by
    then.
    """

    operation: str
    token: int
    where: Sequence[tuple[str | tuple[str, ...], str, Any]]
    until: int
