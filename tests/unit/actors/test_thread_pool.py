"""Threads for plain activities: how many, for whom, and what is said about waiting for one."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable

import pytest

from continuum.definitions.call_outcome import CallOutcome, outcome_of_call
from continuum_actors.host.thread_pool import ThreadCall, ThreadPool

DEADLINE_S = 60.0


def waits(gate: threading.Event) -> Callable[[], CallOutcome]:
    """Return a call that waits for a gate."""
    return lambda: outcome_of_call(gate.wait, DEADLINE_S)


async def begun(pool: ThreadPool, gate: threading.Event, name: str = "hangs") -> ThreadCall:
    """Return a call that runs and waits for a gate."""
    began = asyncio.Event()
    call = pool.submit(name, waits(gate), began.set)
    async with asyncio.timeout(DEADLINE_S):
        await began.wait()
    return call


def test_calls_wait_for_one_of_the_threads_in_order() -> None:
    async def scenario() -> None:
        pool, gate, order = ThreadPool(1), threading.Event(), list[int]()
        await begun(pool, gate)
        later = [
            pool.submit("later", lambda number=number: outcome_of_call(order.append, number))  # type: ignore[misc]
            for number in range(3)
        ]
        assert pool.waiting() == 3
        gate.set()
        await asyncio.gather(*(call.outcome for call in later))
        assert order == [0, 1, 2]

    asyncio.run(scenario())


def test_a_call_that_is_given_up_leaves_its_place_to_another() -> None:
    async def scenario() -> None:
        pool, gate = ThreadPool(1), threading.Event()
        hanging = await begun(pool, gate)
        other = pool.submit("other", lambda: outcome_of_call(threading.get_ident))
        pool.give_up(hanging)
        assert (await other.outcome).get() != hanging.thread
        # The thread that was given up serves nobody when it comes back.
        gate.set()
        await hanging.outcome
        assert (await pool.submit("last", lambda: outcome_of_call(threading.get_ident)).outcome).get() != (
            hanging.thread
        )

    asyncio.run(scenario())


def test_a_call_that_is_given_up_before_it_begins_never_begins() -> None:
    async def scenario() -> None:
        pool, gate, made = ThreadPool(1), threading.Event(), list[str]()
        await begun(pool, gate)
        unwanted = pool.submit("unwanted", lambda: outcome_of_call(made.append, "unwanted"))
        wanted = pool.submit("wanted", lambda: outcome_of_call(made.append, "wanted"))
        pool.give_up(unwanted)
        gate.set()
        await wanted.outcome
        assert made == ["wanted"]

    asyncio.run(scenario())


def test_threads_end_with_the_pool() -> None:
    async def scenario() -> list[threading.Thread]:
        pool, before = ThreadPool(4), set(threading.enumerate())
        await asyncio.gather(*(pool.submit("call", lambda: outcome_of_call(int)).outcome for _ in range(10)))
        threads = [thread for thread in threading.enumerate() if thread not in before]
        pool.close()
        return threads

    for thread in asyncio.run(scenario()):
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_waiting_for_a_thread_is_reported_once_with_what_takes_the_threads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        pool, gate = ThreadPool(2, report_after=0.01), threading.Event()
        await begun(pool, gate)
        await begun(pool, gate)
        waiting = [pool.submit("waits", waits(gate)) for _ in range(3)]
        for _ in range(4):
            # Other calls that wait as long are part of the same trouble.
            await pass_alarms()
            waiting.append(pool.submit("waits", waits(gate)))
        gate.set()
        await asyncio.gather(*(call.outcome for call in waiting))

    caplog.set_level(logging.WARNING, "continuum.threads")
    asyncio.run(scenario())
    (message,) = caplog.messages
    assert re.match(r"3 activities are waiting for a thread, the first for \d+ s; ", message)
    assert re.search(r"all 2 threads are taken by hangs \(2\), the longest for \d+ s", message)


async def pass_alarms() -> None:
    """Let the alarms of a pool pass."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, passed.set)
    await passed.wait()
