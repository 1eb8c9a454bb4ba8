"""The light actor: a queue of messages, handled one at a time in this process's asyncio loop.

Subclass `Actor`, start it with `spawn` (`spawning.py`), talk to it through its `ActorRef` (`ref.py`).
Handlers may be plain functions, which is cheap, or coroutines, during which the other messages wait. An idle
actor has no task. `ref.py` says step by step what happens to a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .clock import Cancellable, Clock
from .exits import NORMAL, ExitReason
from .ref import ActorRef, logger
from .replies import ReplyTo

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Actor:
    """Base of every light actor. Each method may be a coroutine, except `stop` and `send_after`."""

    __slots__ = ("clock", "ref")

    # True turns the exit of a linked actor into an Exit message to handle_info.
    trap_exit: ClassVar[bool] = False

    ref: ActorRef
    clock: Clock

    def init(self) -> Awaitable[None] | None:
        """Prepare for the first message; `spawn` raises what this raises."""
        return None

    def handle_call(self, request: Any) -> Any:
        """Return the reply to a request, or NO_REPLY after taking `reply_to()`."""
        raise NotImplementedError(f"{type(self).__name__} was called with {request!r}: define handle_call")

    def handle_cast(self, message: Any) -> Awaitable[None] | None:
        raise NotImplementedError(f"{type(self).__name__} was cast {message!r}: define handle_cast")

    def handle_info(self, message: Any) -> Awaitable[None] | None:
        """Handle Down and Exit messages, timers, and whatever was sent."""
        logger.warning("%r ignores %r: define handle_info", self.ref, message)
        return None

    def terminate(self, reason: ExitReason) -> Awaitable[None] | None:
        """Clean up; called at every end except a kill."""
        return None

    def stop(self, reason: ExitReason = NORMAL) -> None:
        """End after the current message."""
        self.ref._request_end(reason)

    def send_after(self, delay: float, message: object) -> Cancellable:
        """Send a message to this actor later; dropped if it is dead by then."""
        return self.clock.call_later(delay, self.ref.send, message)

    def reply_to(self) -> ReplyTo:
        """Return the current caller, to reply later; take it while handle_call runs."""
        return self.ref._promise_reply()
