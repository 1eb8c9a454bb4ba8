"""The audit: was anything lost, stuck or journaled twice?

Pure functions. The plan says how each order must end, the ledger which effects the world saw, the
runs and their histories what the engine recorded; nothing here calls the engine.
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
    """The time of the kill, and the pid of the killed run host."""

    at: datetime
    run_host: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The run of one order and its history, as the journal has them."""

    run: Run
    history: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of the demo, and its problems, a line each."""

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
    """Return the reviewer's verdict on an order, None if nobody reviews it."""
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
    """Compare the orders with their effects in the world and with what was journaled."""
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
        problems.append("nothing was killed: the orders ended too early")
    elif interrupted and progress is None:
        problems.append("no run of the killed host continued")
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
    """Count the activities that were scheduled, or completed, more than once."""
    scheduled = Counter(event.name for event in history if event.type in SCHEDULED)
    completed = Counter(event.payload["scheduled"] for event in history if event.type in COMPLETED)
    return sum(count > 1 for count in (*scheduled.values(), *completed.values()))


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
    expected_effects = EFFECTS_OF_A_REFUND if verdict_on(number) == "rejected" else EFFECTS_OF_A_SALE
    happened = {activity for (owner, activity), count in done.items() if owner == number and count}
    if happened != set(expected_effects):
        return [f"order {number}: the world saw {sorted(happened)}, not {sorted(expected_effects)}"]
    return []


def _interrupted(seen: Mapping[int, Seen], ledger: Sequence[Entry], killing: Killing) -> list[Seen]:
    """Return the runs that the killed host owned: it did work for them, and they had not ended."""
    worked_on = {entry.order for entry in ledger if entry.pid == killing.run_host}
    return [
        order
        for number, order in seen.items()
        if number in worked_on and (order.run.completed_at is None or order.run.completed_at > killing.at)
    ]


def _seconds_to_progress(interrupted: Sequence[Seen], killing: Killing) -> float | None:
    """Return the time from the kill to the first event of these runs, by the journal's clock."""
    after = [event.at for order in interrupted for event in order.history if event.at > killing.at]
    return (min(after) - killing.at).total_seconds() if after else None
