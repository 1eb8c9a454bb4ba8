"""Writes the golden histories that do not exist yet: `python -m tests.golden.writing`.

Existing files stay. If later code does not replay a history, that code is at fault.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from continuum import RunHandle, Workflow, workflow
from continuum.codec.codec import decode, encode
from continuum.engine.events import Event, EventType
from continuum.journal.snapshot_codec import SNAPSHOT_FORMAT, pack_snapshot
from continuum.testing import Environment, History, dump_history, load_history
from tests.golden.programs import PROGRAMS, Order, charge, review

RUNS = Path(__file__).parent / "runs"
# Blobs as hex, named after their format, beside the history that they belong to.
SNAPSHOT = "snapshot.format-{}.hex"

# The commit after which the engine is killed that writes a crash.
AFTER_THE_FIRST_COMMIT = 3
# The signals to each run, in order; the others get none.
SIGNALS: dict[str, Sequence[str]] = {
    "activity_signal_activity": ["fine"],
    "changed_version": ["fine"],
    "forked": ["fine"],
    "namespace_and_trace": ["fine"],
    "patched_new": ["one", "two"],
    "patched_old": ["one", "two"],
}
GIVEN: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("continuation_first", "continuation_last"), (2,)),
    **dict.fromkeys(
        (
            "attributes",
            "child_cancelled",
            "child_fan_out",
            "child_out_of_time",
            "continued_child_awaited",
            "crowd",
            "primitives",
            "published",
            "side_effect",
            "signal_timeout",
            "timer",
        ),
        (),
    ),
}


@workflow(name="golden.patched")
async def patched_flow(order: Order) -> list[str]:
    """Do what the program of this name did before it was changed."""
    done = [await charge(order)]
    for _ in range(2):
        await review.wait()
    return done


async def run_of(environment: Environment, name: str) -> RunHandle[Any]:
    program = program_of(name)
    args = GIVEN.get(name, (Order(f"o-{name}"),))
    if name == "namespace_and_trace":
        return await environment.start(
            program, *args, namespace="billing", attributes={"region": "eu"}, trace_context="00-aa-bb-01"
        )
    return await environment.start(program, *args)


async def written(name: str) -> History:
    """Run a program to its end and return what it has journaled."""
    crashes = (AFTER_THE_FIRST_COMMIT,) if name == "crashed" else ()
    async with Environment(seed=7, workflows=[program_of(name)], crashes=crashes) as environment:
        run = await run_of(environment, name)
        await environment.settle()
        for value in SIGNALS.get(name, ()):
            await environment.advance(1)
            await run.signal(review, value)
        await environment.advance(1)
        if name == "cancelled":
            await run.cancel()
        if name == "child_cancelled":
            started, *_ = await environment.history(run.id)
            await environment.cancel(started.payload["child_run_id"])
        if name != "open":
            await environment.advance(timedelta(days=3))
        run_id: str = run.id
        while name == "continuation_last" and (tip := await environment.get_run(run_id)).continued_to:
            run_id = tip.continued_to
        if name == "forked":
            # The first call was pending where the history is cut, and begins again.
            run_id = (await environment.fork(run_id, at=1)).id
            await environment.settle()
        history = await environment.history(run_id)
    history = without_tracebacks(history)
    return with_change_of_version(history) if name == "changed_version" else history


def program_of(name: str) -> Workflow[..., Any]:
    return patched_flow if name == "patched_old" else PROGRAMS[name]


def without_tracebacks(history: History) -> History:
    """Leave out tracebacks, which name files of the machine that wrote the history."""
    failures = (EventType.ACTIVITY_FAILED, EventType.COMPENSATION_FAILED, EventType.CHILD_FAILED)
    events = [
        event._replace(body=(*event.body[:3], "", *event.body[4:])) if event.type in failures else event
        for event in history.stored
    ]
    ending = history.ending
    if ending.error is not None:
        kind, text, _ = decode(ending.error)
        ending = replace(ending, error=encode((kind, text, "")))
    return History(events, history.beginning, ending)


def with_change_of_version(history: History) -> History:
    """Return a history of a run that other code has resumed while it waited for its signal."""
    place = next(event.seq for event in history.stored if event.type == EventType.SIGNAL_RECEIVED)
    change = Event(place, EventType.VERSION_CHANGED, history.stored[place].at, ("0" * 32, "1" * 32))
    after = [event._replace(seq=event.seq + 1, body=_moved(event)) for event in history.stored[place:]]
    return History([*history.stored[:place], change, *after], history.beginning, history.ending)


def _moved(event: Event) -> tuple[Any, ...]:
    if event.type in (EventType.ACTIVITY_COMPLETED, EventType.TIMER_FIRED):
        return event.body[0] + 1, *event.body[1:]
    return event.body


def main() -> None:
    """Write the missing files."""
    for name in PROGRAMS:
        path = RUNS / f"{name}.json"
        if not path.exists():
            dump_history(asyncio.run(written(name)), path)
            sys.stdout.write(f"{path.name}\n")
    blob = RUNS / SNAPSHOT.format(SNAPSHOT_FORMAT)
    if not blob.exists():
        events = load_history(RUNS / "snapshot.json").stored
        blob.write_text(pack_snapshot(events[: len(events) // 2]).hex() + "\n", encoding="ascii")
        sys.stdout.write(f"{blob.name}\n")


if __name__ == "__main__":
    main()
