"""The measured sides of `model.py`; see `program.py` for how they are run."""

from __future__ import annotations

import gc
import importlib.util
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from bench.flows import steps_in_a_row
from bench.histories import KINDS, STARTED_AT, execution, history_of
from continuum.codec.codec import encode
from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.port import NewRun, RunWrite
from continuum.journal.postgres import PostgresJournal
from continuum.scanner import scan
from continuum.source.content_hash import content_hash
from continuum.versions.loaded_code import Code

Work = Callable[[], Awaitable[dict[str, Any]]]
REPEATS = 7
LOOPS = 5_000
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def _milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


async def define_workflows(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    """Scan and hash the workflow of the example, with its module read for the first time and again."""

    def module(number: int) -> Any:
        # A new module each time, so that nothing is cached.
        spec = importlib.util.spec_from_file_location(f"orders_{number}", EXAMPLES / "orders.py")
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    async def work() -> dict[str, Any]:
        flow = module(0).process_order
        first = _milliseconds(lambda: scan(flow.fn))
        return {
            "scan_first_ms": first,
            "scan_ms": median(_milliseconds(lambda: scan(flow.fn)) for _ in range(REPEATS)),
            "hash_ms": median(
                _milliseconds(lambda: content_hash(flow.fn, flow.source)) for _ in range(REPEATS)
            ),
        }

    return work


async def replay_in_memory(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    """Replay a long run of activities, and create many runs that do nothing."""
    history = history_of("activities", given["events"])

    async def nothing() -> None:
        """Return."""

    async def work() -> dict[str, Any]:
        replays = [_replayed("activities", history, None) for _ in range(REPEATS)]
        begin = time.perf_counter()
        made = [execution() for _ in range(LOOPS)]
        loops = time.perf_counter() - begin
        for run in made:
            run.begin(nothing(), (), started_at=STARTED_AT, now=STARTED_AT)
        return {"events_per_second": len(history) / median(replays), "loop_us": loops / LOOPS * 1e6}

    return work


def _replayed(kind: str, events: list[Event], compact: CompactHistory | None) -> float:
    """Return how many seconds a replay takes."""
    now = events[-1].at if events else STARTED_AT
    gc.collect()
    run = execution()
    end = len(events) + (compact.end if compact is not None else 0)
    begin = time.perf_counter()
    run.begin(KINDS[kind](end + 2), events, started_at=STARTED_AT, now=now, compact=compact)
    seconds = time.perf_counter() - begin
    if run.log.snapshot_mismatch or run.log.next_seq < end:
        raise AssertionError("the run did not replay completely")
    return seconds


async def resume_long_run(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    """Load and replay a long run, from its events and from a snapshot."""
    journal = PostgresJournal(given["dsn"], schema=given["schema"], listen=False)
    await journal.open()
    stack.push_async_callback(journal.close)
    run_id = RunId(str(uuid4()))
    worker = await journal.register_worker(NodeId("bench"), "run_host", 1, 600.0)
    await journal.start([NewRun(run_id, steps_in_a_row.name, encode(1))])
    (claim,) = await journal.claim(worker, Code([steps_in_a_row]).loaded, 1)
    history = history_of(given["kind"], given["events"])
    for batch, first in enumerate(range(0, len(history), 4_000), 1):
        await journal.commit(worker, batch, [RunWrite(run_id, claim.token, history[first : first + 4_000])])

    async def from_events() -> float:
        begin = time.perf_counter()
        events = (await journal.load([run_id]))[run_id]
        return time.perf_counter() - begin + _replayed(given["kind"], events, None)

    async def from_snapshot() -> float:
        begin = time.perf_counter()
        compact, events = (await journal.load_compact([(run_id, claim.version)]))[run_id]
        return time.perf_counter() - begin + _replayed(given["kind"], events, compact)

    async def work() -> dict[str, Any]:
        await journal.take_snapshot(run_id, claim.version, 0)
        raw = [await from_events() for _ in range(REPEATS)]
        compact = [await from_snapshot() for _ in range(REPEATS)]
        return {"events_ms": median(raw) * 1e3, "snapshot_ms": median(compact) * 1e3}

    return work
