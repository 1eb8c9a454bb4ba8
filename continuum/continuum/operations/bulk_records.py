"""What a person sees of changes of many runs: previews, the operations that make them, and what they skip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continuum.journal.operation_facts import OperationRow, OperationState
from continuum.journal.operation_reasons import Reason
from continuum.journal.untyped_values import at
from continuum.operations.bulk_action import shown_arguments


@dataclass(frozen=True, slots=True)
class UnchangedRuns:
    """Runs that are left as they are: how many, `why`, and the ids of the first five of them.

    `outcome` is ``skipped`` (the run takes nothing: it has ended, or is so already) or ``failed`` (the
    database refused to change it). A text that names its run calls it RUN. An operation keeps 20 reasons
    apart, and the rest as ``other reasons``; the record has each (`continuum audit list`).
    """

    why: str
    count: int
    runs: Sequence[str]
    outcome: str = "skipped"


@dataclass(frozen=True, slots=True)
class OperationExample:
    """A run that would be changed, or `refused`, with the reason, if that is known before.

    `tries_again` names the compensations that have failed and would be tried again; `stands` says
    in sentences what was done there, stays done and is done again. `started_at` is aware and in UTC.
    """

    id: str
    workflow: str
    state: str
    started_at: datetime
    refused: str | None = None
    tries_again: Sequence[str] = ()
    stands: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class OperationPreview:
    """What a change would be about: how many runs, some of them, and the digest that it is begun with.

    `count` runs are found: it is `exact` (up to 10,000), or there are more; `text` says it in words.
    `skipped` has those of them that would be left as they are, as far as that is known without their
    histories: what is known of a restart, a reset or a fork is in the examples, of which there are five at
    most. `notes` says in sentences what else there is to know. Runs that start after `until`, on the clock
    of the database, are spared.
    """

    action: str
    search: str
    namespace: str | None
    count: int
    exact: bool
    text: str
    skipped: Sequence[UnchangedRuns]
    notes: Sequence[str]
    examples: Sequence[OperationExample]
    until: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of many runs: what it is, who began it, and how far it is.

    `state` is ``running``, ``paused``, ``cancelled`` or ``completed``; `held` says that some process executes
    it. `done`, `skipped` and `failed` count runs, and `reasons` says why runs were skipped or failed.
    `expected` is how many runs the search found when it was begun, in words; those that started after `until`
    are spared. `rate` is in runs a second, None for as many as possible. `actor` began it, through `via`
    (``cli`` or ``python``). Times are aware and in UTC.
    """

    id: str
    action: str
    arguments: Mapping[str, Any]
    search: str
    namespace: str | None
    until: datetime
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
    created_at: datetime
    updated_at: datetime
    reasons: Sequence[UnchangedRuns]

    @property
    def interrupted(self) -> bool:
        """Whether it is not over and nobody executes it: its process has died, or was interrupted."""
        return self.state == OperationState.RUNNING and not self.held


@dataclass(frozen=True, slots=True)
class OperationProgress:
    """How far an operation is after one of its parts: its state, and how many runs so far."""

    state: str
    done: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Operations, the latest first, and the cursor of the next page; None at the end."""

    entries: Sequence[Operation]
    next_cursor: str | None


def operation_of(row: OperationRow) -> Operation:
    """Return an operation as a person sees it."""
    times = {name: at(getattr(row, name)) for name in ("until", "created_at", "updated_at")}
    shown = {"arguments": shown_arguments(row.arguments), "reasons": unchanged(row.reasons)}
    facts: dict[str, Any] = {**row._asdict(), **times, **shown}
    return Operation(**facts)


def unchanged(reasons: Sequence[Reason]) -> tuple[UnchangedRuns, ...]:
    """Return reasons as a person sees them."""
    return tuple(UnchangedRuns(each.why, each.number, tuple(each.runs), each.outcome) for each in reasons)
