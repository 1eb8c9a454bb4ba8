"""Actors that record what happens to them, and a function that runs a test in a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from continuum_supervision import NO_REPLY, Actor, ExitReason, ReplyTo

# Long enough for the slowest machine: a test that hangs fails after it.
TIMEOUT_S = 60.0


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, failing it if it hangs."""

    async def bounded() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await main

    asyncio.run(bounded())


@dataclass
class Diary:
    """A record of what happened, in order."""

    lines: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.lines.append(line)

    def clear(self) -> None:
        self.lines.clear()


class Probe(Actor):
    """Calls messages that are functions, and records all others."""

    def __init__(self, name: str = "probe", diary: Diary | None = None) -> None:
        self.name = name
        self.diary = diary if diary is not None else Diary()
        self.pending: list[ReplyTo] = []

    def init(self) -> Awaitable[None] | None:
        self.diary.write(f"start {self.name}")
        return None

    def handle_cast(self, message: Any) -> Any:
        return self._handle(message)

    def handle_info(self, message: Any) -> Any:
        return self._handle(message)

    def handle_call(self, request: Any) -> Any:
        if request == "later":
            self.pending.append(self.reply_to())
            return NO_REPLY
        return self._handle(request)

    def terminate(self, reason: ExitReason) -> Awaitable[None] | None:
        self.diary.write(f"stop {self.name}")
        return None

    def _handle(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.diary.write(str(message))
        return message


class Trapping(Probe):
    """A probe that traps exits and keeps the messages it receives."""

    trap_exit = True

    def __init__(self) -> None:
        super().__init__()
        self.received: asyncio.Queue[Any] = asyncio.Queue()

    def handle_info(self, message: Any) -> None:
        self.received.put_nowait(message)


class Stubborn(Probe):
    """Never ends by itself when it is asked to stop."""

    async def terminate(self, reason: ExitReason) -> None:
        self.diary.write(f"stubborn {self.name}")
        await asyncio.Event().wait()


class Boom(Exception):
    """The error that tests raise in actors."""


def crash(_actor: Any) -> None:
    """A message that makes a probe crash."""
    raise Boom("boom")


def waiting_for(gate: asyncio.Event) -> Callable[[Any], Awaitable[None]]:
    """A message whose handler waits for the gate."""

    async def wait(_actor: Any) -> None:
        await gate.wait()

    return wait
