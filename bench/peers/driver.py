"""What is measured of every system, by the same code: `main` is the program of each adapter in `programs/`.

It runs in the environment of the measured system, so it imports the standard library alone. An adapter
says how its system starts a run, sends a signal, and so on (`Subject`), and how its hosts are run
(`Adapter.host`). A system that runs in the caller's process has a subject that contains the host.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

Given = dict[str, Any]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
# How long a slow step takes: long enough that all runs are in the middle of one when everything is killed.
SLOW_STEP_SECONDS = 0.05
# Started runs become suspended in this time, in every system.
SETTLE_SECONDS = 2.0
# A figure that takes longer than this has failed.
FIGURE_SECONDS = 180.0


class CannotDo(Exception):
    """The system has nothing that corresponds."""


class Subject:
    """A measured system, as its user calls it; what it does not override it cannot do."""

    # Whether many runs are awaited at once; a system whose callers poll may poll less often then.
    crowded = False

    async def run(self, steps: int) -> int:
        """Start a run of so many steps, one after the other, and return its result: the number of steps."""
        raise CannotDo

    async def suspend(self) -> Any:
        """Start a run that waits for a signal; return what finds it again."""
        raise CannotDo

    async def signal(self, waiting: Any, value: int) -> int:
        """Send the signal and return the result of the run: the value."""
        raise CannotDo

    async def children(self, count: int) -> int:
        """Run a parent that starts so many children without steps, and awaits them; return their number."""
        raise CannotDo

    async def sleep_until(self, due: float) -> float:
        """Run one that sleeps until a Unix time; return how late its next step ran, in seconds."""
        raise CannotDo

    async def begin_slow(self, number: int, steps: int, marks: str) -> None:
        """Start a run that marks its begin, takes slow steps and marks its end; return once it is durable."""
        raise CannotDo


class Adapter(ABC):
    """How one system is used and run."""

    def prepare(self, given: Given) -> None:
        """Set up an empty database; most systems need no more than what they do when they start."""
        del given

    @abstractmethod
    def subject(self, given: Given) -> AbstractAsyncContextManager[Subject]:
        """Yield the system, and its hosts too if they are in the caller's process."""

    @abstractmethod
    def host(self, given: Given) -> AbstractAsyncContextManager[None]:
        """Run the system's hosts, without a caller."""


def mark(path: str, number: int, what: str) -> None:
    """Write one line at once: what a run has come to."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{number} {what}\n".encode())
    finally:
        os.close(descriptor)


def lateness(due: float) -> float:
    """Return by how many seconds a time has passed."""
    return time.time() - due


def processor_seconds(pids: Sequence[int], postmaster: int | None) -> tuple[float, float]:
    """Return the processor time so far of processes, and of a server with all of its children."""
    server = 0
    if postmaster is not None:
        children = _words(f"/proc/{postmaster}/task/{postmaster}/children")
        server = sum(_times(postmaster)) + sum(sum(_times(int(pid))[:2]) for pid in children)
    return sum(sum(_times(pid)[:2]) for pid in pids) / TICKS, server / TICKS


def _times(pid: int) -> list[int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]


def _words(path: str) -> list[str]:
    return Path(path).read_text(encoding="ascii").split()


def _resident(pids: Sequence[int]) -> int:
    return sum(int(_words(f"/proc/{pid}/statm")[1]) for pid in pids) * PAGE_BYTES


async def latency(subject: Subject, given: Given) -> dict[str, Any]:
    """Take runs one after the other."""
    steps, runs = given["steps"], given["runs"]
    for _ in range(max(runs // 5, 3)):
        await subject.run(steps)
    seconds: list[float] = []
    for _ in range(runs):
        begin = time.perf_counter()
        _check(await subject.run(steps), steps)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds}


async def signals(subject: Subject, given: Given) -> dict[str, Any]:
    """Signal suspended runs one after the other, each until its run has ended."""
    runs = given["runs"]
    warm_up = max(runs // 5, 3)
    waiting = [await subject.suspend() for _ in range(runs + warm_up)]
    await asyncio.sleep(SETTLE_SECONDS)
    seconds: list[float] = []
    for number, each in enumerate(waiting):
        begin = time.perf_counter()
        _check(await subject.signal(each, number), number)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds[warm_up:]}


async def throughput(subject: Subject, given: Given) -> dict[str, Any]:
    """Start many runs at once and await all: as many as a first try says that it does in the given time."""
    steps, most = given["steps"], given["most"]
    runs, taken = given["pilot"], 0.0
    for _ in range(2):
        taken = await _at_once(subject, runs, steps)
        runs = max(given["pilot"], min(most, int(runs / taken * given["seconds"])))
    pids = [*given["workers"], os.getpid()]
    before = processor_seconds(pids, given.get("postmaster"))
    taken = await _at_once(subject, runs, steps)
    after = processor_seconds(pids, given.get("postmaster"))
    processes, server = (end - begin for begin, end in zip(before, after, strict=True))
    return {"runs": runs, "taken": taken, "processes_cpu": processes, "server_cpu": server}


async def _at_once(subject: Subject, runs: int, steps: int) -> float:
    subject.crowded = True
    begin = time.perf_counter()
    for result in await asyncio.gather(*(subject.run(steps) for _ in range(runs))):
        _check(result, steps)
    return time.perf_counter() - begin


async def children(subject: Subject, given: Given) -> dict[str, Any]:
    """Run a parent with many children, several times."""
    count = given["children"]
    seconds: list[float] = []
    for _ in range(given["runs"] + 1):
        begin = time.perf_counter()
        _check(await subject.children(count), count)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds[1:]}


async def timers(subject: Subject, given: Given) -> dict[str, Any]:
    """Let many runs sleep until the same instant."""
    due = time.time() + given["lead"]
    late = await asyncio.gather(*(subject.sleep_until(due) for _ in range(given["runs"])))
    return {"late": list(late)}


async def memory(subject: Subject, given: Given) -> dict[str, Any]:
    """Suspend runs in three equal parts; the first fills caches, the rest is measured."""
    runs, sizes = given["runs"], []
    pids = given["workers"] or [os.getpid()]
    for _ in range(3):
        await asyncio.gather(*(subject.suspend() for _ in range(runs)))
        await asyncio.sleep(SETTLE_SECONDS)
        sizes.append(_resident(pids))
    return {"bytes": (sizes[2] - sizes[0]) / (2 * runs)}


MEASURES: dict[str, Callable[[Subject, Given], Awaitable[dict[str, Any]]]] = {
    "latency": latency,
    "signals": signals,
    "throughput": throughput,
    "children": children,
    "timers": timers,
    "memory": memory,
}


def _check(result: object, expected: int) -> None:
    if result != expected:
        raise AssertionError(f"a run ended with {result!r} instead of {expected}")


async def _measure(adapter: Adapter, given: Given) -> None:
    """Measure each figure that is asked for, and print its result as a line; one that fails says so."""
    async with adapter.subject(given) as subject:
        for figure in given["figures"]:
            work = MEASURES[figure["measure"]](subject, {**given, **figure})
            try:
                result = await asyncio.wait_for(work, FIGURE_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever a system raises is its result
                result = {"failed": f"{type(error).__name__}: {error}"[:300]}
            print(json.dumps({"figure": figure["name"], **result}), flush=True)


async def _prepare(adapter: Adapter, given: Given) -> None:
    adapter.prepare(given)
    await _until_told()


async def _begin(adapter: Adapter, given: Given) -> None:
    async with adapter.subject(given) as subject:
        numbers = range(given["runs"])
        await asyncio.gather(*(subject.begin_slow(n, given["steps"], given["marks"]) for n in numbers))
        await _until_told()


async def _host(adapter: Adapter, given: Given) -> None:
    async with adapter.host(given):
        await _until_told()


async def _until_told() -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def main(adapter: Adapter) -> None:
    """Do what the command line says: `prepare`, `measure`, `begin` slow runs, or `host`, with its JSON."""
    mode, given = sys.argv[1], json.loads(sys.argv[2])
    modes = {"prepare": _prepare, "measure": _measure, "begin": _begin, "host": _host}
    asyncio.run(modes[mode](adapter, given))
