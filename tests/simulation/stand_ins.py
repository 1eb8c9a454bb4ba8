"""Replaces the operating system of a simulation: its connections, threads, clocks, and the code on disk."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from continuum import guard
from continuum.engine.loop import step_guard
from continuum.versions.loaded_code import Code
from continuum_actors.activity import activity_threads
from continuum_actors.host.host import Host
from continuum_actors.host.thread_pool import ThreadCall, ThreadPool
from continuum_actors.node import control_process, host_process, recovery
from tests.simulation.virtual_time import ProcessLoop

if TYPE_CHECKING:
    from tests.simulation.network import Link
    from tests.simulation.split_node import PartProcess
    from tests.simulation.universe import Universe

# A plain activity may wait so long for its thread.
THREAD_SECONDS = 0.2


class SimulatedThreads(ThreadPool):
    """Makes each call in the loop of its process, a moment later and in no time."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._process = _current()

    def submit(
        self, name: str, function: Callable[[], Any], begun: Callable[[], object] | None = None
    ) -> ThreadCall:
        """Have a call made soon."""
        call = ThreadCall(name, function, begun)
        delay = self._process.chances.fraction() * THREAD_SECONDS
        self._process.loop.call_later(delay, self._make, call)
        return call

    def give_up(self, call: ThreadCall) -> None:
        """Wait for a call no longer."""
        call.given_up = True

    def waiting(self) -> int:
        """No call waits for long."""
        return 0

    def cancel_waiting(self) -> None:
        """No call waits for long."""

    def _make(self, call: ThreadCall) -> None:
        if not call.given_up and not call.outcome.done():
            call.run()


def _current() -> PartProcess:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ProcessLoop), "only simulated processes run"
    process: PartProcess = loop.process
    return process


def _link(dsn: str, *, schema: str, listen: bool, **connections: object) -> Link:
    link = _current().link
    link.listens = listen
    return link


def _host(*args: Any, **options: Any) -> Host:
    process = _current()
    process.host = host = Host(*args, **options)
    host.random_bytes = process.random.randbytes
    return host


def _loaded_code(modules: object) -> Code:
    return _current().node.code


def _random_fraction() -> float:
    return _current().random.random()


def _nothing(*given: object) -> None:
    """Leave logging and the calls that end a process as they are."""


@contextmanager
def standing_in(universe: Universe) -> Iterator[None]:
    """Replace what the code of processes takes from the operating system."""

    def wall_clock() -> int:
        loop = asyncio._get_running_loop()
        skew = loop.clocks.skew if isinstance(loop, ProcessLoop) else 0
        return universe.database_time() + skew

    replaced: list[tuple[Any, str, object]] = [
        (recovery, "is_alive", universe.is_alive),
        (activity_threads, "ThreadPool", SimulatedThreads),
        # Garbage is collected between simulations.
        (host_process, "tune_for_good", lambda: None),
        (host_process, "Host", _host),
        (host_process, "watch_fatal_calls", _nothing),
        (control_process, "random_fraction", _random_fraction),
        (time, "time", lambda: wall_clock() / 1e6),
        (time, "time_ns", lambda: wall_clock() * 1_000),
    ]
    for module in (control_process, host_process):
        replaced += [
            (module, "PostgresJournal", _link),
            (module, "set_up_logging", _nothing),
            (module, "load_code", _loaded_code),
        ]
    # The guard must see the real clocks first.
    guard.install()
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    hooks = sys.get_asyncgen_hooks()
    for owner, name, stand_in in replaced:
        setattr(owner, name, stand_in)
    try:
        yield
    finally:
        # The loops of processes that have died restore nothing themselves.
        step_guard.active.rest()
        sys.set_asyncgen_hooks(*hooks)
        for owner, name, original in before:
            setattr(owner, name, original)
