"""Was anything lost, stuck or journaled twice? Decided from what can be seen from outside.

Pure: the plan says how each order must end, the ledger says what was done in the world, the
runs and their histories say what the engine believes; nothing here asks the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from continuum.client import Event, Run
from continuum.demo.ledger import Entry

# One order in ten is rejected, one in five is never reviewed; the others are approved.
REJECTED_EVERY = 10
UNREVIEWED_EVERY = 5

ENDED = ("completed", "failed", "cancelled")
EFFECTS_OF_A_SALE = ("validate", "charge", "ship")
EFFECTS_OF_A_REFUND = ("validate", "charge", "refund")
SCHEDULED = ("activity_scheduled", "compensation_scheduled")
COMPLETED = ("activity_completed", "compensation_completed")


@dataclass(frozen=True, slots=True)
class Killing:
    """When processes were killed, and the pid of the run host among them."""

    at: datetime
    run_host: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the journal says of one order."""

    run: Run
    history: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of the demo, and everything that is not as it should be, a line each."""

    states: Mapping[str, int]
    refunded: int
    executed: int
    executed_again: int
    journaled: int
    journal_duplicates: int
    interrupted: int
    seconds_to_progress: float | None
    problems: Sequence[str]


def verdict_on(number: int) -> str | None:
    """Return what the reviewer says of an order, None when nobody reviews it."""
    if number % REJECTED_EVERY == 0:
        return "rejected"
    return None if number % UNREVIEWED_EVERY == 1 else "approved"


def expected_result(number: int, amount: int) -> str:
    """Return what the run of an order must return."""
    payment = f"payment-{number}-{amount}"
    return f"refunded {payment}" if verdict_on(number) == "rejected" else f"shipped for {payment}"


def audit(
    amounts: Mapping[int, int], seen: Mapping[int, Seen], ledger: Sequence[Entry], killing: Killing | None
) -> Report:
    """Compare what was ordered with what was done and what was journaled."""
    done = Counter((entry.order, entry.activity) for entry in ledger)
    problems: list[str] = []
    for number, amount in amounts.items():
        problems += _problems(number, amount, seen.get(number), done)
    duplicates = sum(journaled_twice(order.history) for order in seen.values())
    if duplicates:
        problems.append(f"{duplicates} activities are journaled twice")
    interrupted = [] if killing is None else _interrupted(seen, ledger, killing)
    progress = None if killing is None else _seconds_to_progress(interrupted, killing)
    if killing is None:
        problems.append("nothing was killed: the orders were over before their time")
    elif interrupted and progress is None:
        problems.append("no run of the killed host went on")
    return Report(
        states=Counter(order.run.state for order in seen.values()),
        refunded=len({entry.order for entry in ledger if entry.activity == "refund"}),
        executed=len(ledger),
        executed_again=sum(count > 1 for count in done.values()),
        journaled=sum(event.type in COMPLETED for order in seen.values() for event in order.history),
        journal_duplicates=duplicates,
        interrupted=len(interrupted),
        seconds_to_progress=progress,
        problems=problems,
    )


def journaled_twice(history: Sequence[Event]) -> int:
    """Count the activities that were journaled more than once: asked for again, or answered again."""
    asked = Counter(event.name for event in history if event.type in SCHEDULED)
    answered = Counter(event.payload["scheduled"] for event in history if event.type in COMPLETED)
    return sum(count > 1 for count in (*asked.values(), *answered.values()))


def _problems(number: int, amount: int, order: Seen | None, done: Mapping[tuple[int, str], int]) -> list[str]:
    if order is None:
        return [f"order {number} is lost: no run has it"]
    run = order.run
    if run.state not in ENDED:
        return [f"order {number} is stuck: run {run.id} is {run.state} ({run.reason or 'no reason given'})"]
    expected = expected_result(number, amount)
    if run.state != "completed" or run.result != expected:
        ended = run.result if run.error is None else f"{run.error.type}: {run.error.message}"
        return [f"order {number} is {run.state} with {ended!r}, not completed with {expected!r}"]
    due = EFFECTS_OF_A_REFUND if verdict_on(number) == "rejected" else EFFECTS_OF_A_SALE
    happened = {activity for (owner, activity), count in done.items() if owner == number and count}
    if happened != set(due):
        return [f"order {number}: the world saw {sorted(happened)}, not {sorted(due)}"]
    return []


def _interrupted(seen: Mapping[int, Seen], ledger: Sequence[Entry], killing: Killing) -> list[Seen]:
    """Return the runs that the killed host had: it did their last work, and they had not ended."""
    had = {entry.order for entry in ledger if entry.pid == killing.run_host}
    return [
        order
        for number, order in seen.items()
        if number in had and (order.run.completed_at is None or order.run.completed_at > killing.at)
    ]


def _seconds_to_progress(interrupted: Sequence[Seen], killing: Killing) -> float | None:
    """Return how long after the kill the first of these runs journaled something, by the journal's clock."""
    after = [event.at for order in interrupted for event in order.history if event.at > killing.at]
    return (min(after) - killing.at).total_seconds() if after else None
