"""Describes for people what a run waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from continuum.engine.ids import RunId
from continuum.journal.facts import RunRow
from continuum.testing.public import public


def with_blocked(waits_for: tuple[str, ...], blocked: Sequence[RunRow]) -> tuple[str, ...]:
    """Add the reason to each wait for a child that is blocked; the child may have continued as new."""
    reasons = {row.root or row.id: row.reason for row in blocked} | {row.id: row.reason for row in blocked}
    return tuple(
        f"{wait}, which is blocked: {reasons[child]}" if (child := _child_in(wait)) in reasons else wait
        for wait in waits_for
    )


def _child_in(wait: str) -> RunId:
    """Return the child that the run waits for; an empty id if it waits for something else."""
    kind, _, last = wait.rpartition(" ")
    return RunId(last if kind.startswith("child ") else "")


@public
class StillWaiting(TimeoutError):
    """The awaited run cannot end before time passes or the test does something."""

    def __init__(self, run_id: str, message: str, waits_for: tuple[str, ...] = ()) -> None:
        super().__init__(f"run {run_id} {message}")
        self.run_id = run_id
        self.waits_for = waits_for


def still_waiting(
    run_id: str, workflow: str, waits_for: tuple[str, ...], passed: timedelta | None
) -> StillWaiting:
    """Return the error for a run that waits for the outside."""
    what = ", or for ".join(waits_for) or "nothing that happens by itself"
    after = "" if passed is None else f" after {passed}"
    hint = "give it what it waits for, or let time pass with `await env.advance(...)`"
    return StillWaiting(run_id, f"of {workflow} still waits{after}, for {what}; {hint}", waits_for)
