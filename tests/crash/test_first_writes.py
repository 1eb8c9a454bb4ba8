"""A process dies before or after each write of a run that it begins or resumes before it owns it.

The run ends the same, and what it does counts once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from continuum import Signal, activity, workflow
from continuum.client.in_process_port import InProcessPort
from continuum.client.starting import Starting
from continuum.journal.announced_run import CreatedRun, TakenRun
from continuum.journal.port import Committed, RunWrite, Worker
from continuum.journal.resumed_run import ResumedRun
from continuum.testing import Environment, engine
from continuum.testing.run_host import RunHost, timeless_settings

go = Signal("go", str)
noted: Counter[str] = Counter()


@activity(name="first_writes.note")
async def note(text: str) -> str:
    """Record that it ran."""
    noted[text] += 1
    return f"noted {text}"


@workflow(name="first_writes.twice")
async def twice() -> list[str]:
    """Run an activity, wait for a signal, and run another."""
    return [await note("first"), await go.wait(), await note("second")]


@dataclass(frozen=True, slots=True)
class Played:
    """What has come of one run of the scenario; `first` are its first writes."""

    result: list[str]
    history: Sequence[str]
    runs: int
    done: Counter[str]
    moments: Sequence[str]
    first: frozenset[type]


def watched(environment: Environment) -> set[type]:
    """Return the kinds of first writes that the journal of an environment receives from now on."""
    memory, kinds = environment._memory, set[type]()
    commit = memory.commit

    async def watching(worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        kinds.update(type(first) for write in writes if (first := write.takes or write.creates) is not None)
        return await commit(worker, batch, writes)

    setattr(memory, "commit", watching)  # noqa: B010 - it replaces a method
    return kinds


async def play(port: InProcessPort | None, *crashes: int) -> Played:
    """Run the scenario; the process dies at these moments."""
    noted.clear()
    async with asyncio.timeout(30), Environment(workflows=[twice], seed=0, crashes=crashes) as environment:
        if port is not None:
            environment._starts = Starting(environment._memory.start, port)
        kinds = watched(environment)
        await environment.settle()
        run = await environment.start(twice)
        await environment.settle()
        await run.signal(go, "on")
        result = await run.result()
        history = [event.type for event in await environment.history(run.id)]
        runs = len((await environment.query()).entries)
        return Played(result, history, runs, noted.copy(), environment.moments, frozenset(kinds))


@pytest.fixture
def port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> InProcessPort | None:
    """Let runs begin in the way of this first write; return the port of a client beside the host."""
    if request.param is ResumedRun:
        # A run that only waits leaves the process.
        monkeypatch.setattr(
            engine, "timeless_settings", lambda: replace(timeless_settings(), live_suspended_runs=0)
        )
    if request.param is not CreatedRun:
        return None
    port, start = InProcessPort(), RunHost.start

    async def beside_a_client(host: RunHost) -> None:
        host.host.port = port
        await start(host)

    monkeypatch.setattr(RunHost, "start", beside_a_client)
    return port


@pytest.mark.parametrize(
    ("port", "first"),
    [(kind, kind) for kind in (TakenRun, ResumedRun, CreatedRun)],
    ids=["take", "resume", "create"],
    indirect=["port"],
)
def test_a_death_at_any_write_changes_neither_the_end_nor_what_was_done(
    port: InProcessPort | None, first: type[Any]
) -> None:
    whole = asyncio.run(play(port))
    assert first in whole.first
    assert whole.result == ["noted first", "on", "noted second"]
    for crash, moment in enumerate(whole.moments, 1):
        played = asyncio.run(play(port, crash))
        assert (played.result, played.history, played.runs) == (whole.result, whole.history, 1), moment
        # An activity runs again only if its process dies with the result.
        again = moment.startswith("before") and "activity_completed" in moment
        assert played.done.total() == 2 + again, moment
