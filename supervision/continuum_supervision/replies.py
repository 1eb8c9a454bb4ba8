"""The calls that one actor has received and not yet answered, and the promise to answer one later."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

PendingReply: TypeAlias = "asyncio.Future[Any]"


class NoReply:
    """The type of NO_REPLY."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY = NoReply()


class Calls:
    """The call being handled, and those whose reply was promised; an actor that is never called has none."""

    __slots__ = ("current", "promised")

    def __init__(self) -> None:
        self.current: PendingReply | None = None
        self.promised: set[PendingReply] | None = None

    def finish(self, result: object) -> bool:
        """Reply to the current call; False if it returned NO_REPLY without a promise: nobody would reply."""
        reply = self.current
        if result is not NO_REPLY:
            self.current = None
            if reply is not None:
                if self.promised is not None:
                    self.promised.discard(reply)
                if not reply.done():
                    reply.set_result(result)
        elif reply is not None and not reply.done() and reply not in (self.promised or ()):
            # It stays the current call, so that its caller gets ActorDied.
            return False
        else:
            self.current = None
        return True

    def promise(self) -> ReplyTo:
        """Keep the current call open after its handler has returned."""
        if self.current is None:
            raise RuntimeError("there is no caller: take reply_to() while handle_call runs")
        if self.promised is None:
            self.promised = set()
        self.promised.add(self.current)
        return ReplyTo(self, self.current)

    def keep_promise(self, reply: PendingReply, result: object) -> None:
        """Give a caller its result, unless it has gone or has one."""
        if self.promised is not None:
            self.promised.discard(reply)
        if not reply.done():
            reply.set_result(result)

    def take_open(self) -> tuple[PendingReply, ...]:
        """Return the replies that are still due, and keep none."""
        current, self.current = self.current, None
        promised, self.promised = self.promised, None
        return (*(() if current is None else (current,)), *(promised or ()))


class ReplyTo:
    """A caller that still waits. If its actor ends first, the caller gets ActorDied."""

    __slots__ = ("_calls", "_reply")

    def __init__(self, calls: Calls, reply: PendingReply):
        self._calls = calls
        self._reply = reply

    def reply(self, value: object) -> None:
        """Reply; it is no error if the caller has gone, or has its reply."""
        self._calls.keep_promise(self._reply, value)

    def fail(self, error: BaseException) -> None:
        """Raise in the caller; the actor itself continues."""
        if not self._reply.done():
            self._reply.set_exception(error)
        self._calls.keep_promise(self._reply, None)
