"""The report on one run: what nodes have recorded about it, with a diff where the facts are stored."""

from __future__ import annotations

import asyncio

from continuum.drift.comparison import Row
from continuum.drift.run_report import Problem, Refused, drift_of
from continuum.engine.events import Event, EventType
from continuum.journal.facts import RunState, Transition
from continuum.journal.port import Fault, Refusal, RunWrite
from tests.unit.client.working import Ending, greeting, memory_client

CHARGE = Event(0, EventType.ACTIVITY_SCHEDULED, 1, ("charge", "order", "flows.py:9", b"", None))
DRIFT = Fault("drift", 0, "activity_scheduled charge from order", "activity_scheduled ship", "flows.py:8")
DIFF = [Row(0, "activity_scheduled charge from order", "activity_scheduled ship at flows.py:8", True)]


def report(write: Transition | Refusal) -> list[Problem]:
    """Return the report on a run with one event, after a write."""

    async def main() -> list[Problem]:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.write(run.id, None, [CHARGE])
            await _write(ending, run.id, write)
            return await drift_of(ending.journal, run.id, [])

    return asyncio.run(main())


async def _write(ending: Ending, run_id: str, write: Transition | Refusal) -> None:
    if isinstance(write, Transition):
        await ending.write(run_id, write)
        return
    claimed = ending.claimed[run_id]
    await ending.commit(RunWrite(claimed.id, claimed.token, refusal=write))


def test_the_report_on_a_blocked_run_has_a_diff() -> None:
    blocked = Transition(RunState.BLOCKED, reason="drift: as it is", fault=DRIFT)
    assert report(blocked) == [Problem("drift: as it is", DIFF, fault=DRIFT)]


def test_the_report_on_a_refused_version_has_a_diff() -> None:
    assert report(Refusal("v2", "drift: as it is", DRIFT)) == [Refused("drift: as it is", DIFF, "v2", DRIFT)]


def test_a_reason_without_stored_facts_is_reported_alone() -> None:
    """An earlier release stored the sentence only, and nothing reads it back."""
    sentence = "drift: at event 0 the journal has activity_scheduled charge, the code asks for nothing"
    assert report(Transition(RunState.BLOCKED, reason=sentence)) == [Problem(sentence)]
    assert report(Refusal("v2", sentence)) == [Refused(sentence, version="v2")]


def test_an_ended_run_has_no_problems() -> None:
    assert report(Transition(RunState.COMPLETED, result=b"")) == []
