"""The work of a play: programs with what each needs from outside, and the outcomes that are right."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from continuum import Client, JournalUnavailable, RunCancelled, RunFailed, RunHandle, RunTerminal
from tests.chaos import first_release, programs

# How many runs may be open at once; a start waits for room.
OPEN_RUNS = 150

T = TypeVar("T")
# A call of the client that is not answered for this long is asked again; every call here may be repeated.
CALL_S = 10.0
AGAIN_AFTER_S = 0.2


@dataclass(frozen=True, slots=True)
class Program:
    """A workflow, its share of the starts, and the outcomes that are right for a number."""

    flow: Any
    weight: int
    right: Callable[[int], set[str]]
    signals: tuple[str, ...] = ()
    cancelled: bool = False


def booked(number: int) -> str:
    """Return the result of a run that charges and reserves."""
    return f"payment {number}, room {number}"


def _is(value: Callable[[int], Any]) -> Callable[[int], set[str]]:
    return lambda number: {repr(value(number))}


PROGRAMS = (
    Program(
        programs.trip,
        20,
        lambda number: {
            "failed: continuum.ActivityError" if number % 3 == 0 else repr(f"payment {number}, room {number}")
        },
    ),
    Program(programs.family, 8, _is(lambda number: 2 * (3 * number + 3))),
    Program(programs.signals, 15, _is(lambda number: "ab"), signals=("a", "b")),
    Program(programs.race, 8, lambda number: {"'a'", "'too late'"}, signals=("a",)),
    Program(programs.timers, 10, _is(lambda number: number)),
    Program(programs.queue, 10, _is(lambda number: number)),
    Program(programs.chain, 6, _is(lambda number: number)),
    Program(programs.once_only, 4, lambda number: {"'stamped'", "'not known'"}),
    Program(programs.falling, 2, _is(lambda number: "stood up")),
    Program(programs.deafness, 2, _is(lambda number: "TimeoutError")),
    Program(programs.endless, 6, lambda number: {"cancelled"}, cancelled=True),
    Program(first_release.deployed, 9, _is(lambda number: booked(number))),
)


@dataclass(slots=True)
class Promise:
    """A run whose start was acknowledged, and how it ended as far as the client knows."""

    number: int
    program: Program
    run: RunHandle[Any]
    outcome: str | None = None


@dataclass
class Load:
    """Starts programs at a rate, drives each to its end, and keeps every acknowledged one."""

    client: Client
    luck: random.Random
    rate: float
    promises: list[Promise] = field(default_factory=list)
    # How often a call had to be repeated, by the type of its error.
    repeated: Counter[str] = field(default_factory=Counter)

    async def until(self, over: asyncio.Event) -> None:
        """Start programs until the play is over, and return when each has ended."""
        room = asyncio.Semaphore(OPEN_RUNS)
        weights = [program.weight for program in PROGRAMS]
        numbers = itertools.count()
        async with asyncio.TaskGroup() as group:
            while not over.is_set():
                await room.acquire()
                program = self.luck.choices(PROGRAMS, weights)[0]
                run_id = str(uuid.UUID(int=self.luck.getrandbits(128), version=4))
                following = group.create_task(self._follow(program, next(numbers), run_id))
                following.add_done_callback(lambda _: room.release())
                with suppress(TimeoutError):
                    async with asyncio.timeout(1 / self.rate):
                        await over.wait()

    async def _follow(self, program: Program, number: int, run_id: str) -> None:
        run = await self._answered(lambda: self.client.start(program.flow, number, id=run_id))
        promise = Promise(number, program, run)
        self.promises.append(promise)
        for text in program.signals:
            await self._answered(partial(send, run, text, f"{number} {text}"))
        if program.cancelled:
            await asyncio.sleep(number % 30 / 10)
            await self._answered(partial(cancel, run))
        promise.outcome = await self._answered(partial(outcome, run))

    async def _answered(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call until it is answered; a `TimeoutError` or an unavailable journal is no answer."""
        while True:
            try:
                async with asyncio.timeout(CALL_S):
                    return await call()
            except (JournalUnavailable, TimeoutError) as error:
                self.repeated[type(error).__name__] += 1
                await asyncio.sleep(AGAIN_AFTER_S)


async def send(run: RunHandle[Any], text: str, delivery_id: str) -> None:
    """Send a word; a run that has ended needs it no more."""
    with suppress(RunTerminal):
        await run.signal(programs.word, text, delivery_id=delivery_id)


async def cancel(run: RunHandle[Any]) -> None:
    """Cancel a run; an earlier call may have done it."""
    with suppress(RunTerminal):
        await run.cancel()


async def outcome(run: RunHandle[Any]) -> str:
    """Wait for the end of a run and describe it: the result, or how it ended without one."""
    try:
        return repr(await run.result())
    except RunCancelled:
        return "cancelled"
    except RunFailed as failure:
        return f"failed: {failure.type}"
