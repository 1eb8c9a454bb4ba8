"""Repeating calls while the journal is unavailable, and reporting each call to observers.

Only `JournalUnavailable` is retried, and in hosts `SchemaOutOfDate`, so only calls that may be made
twice belong here. The clock and the random numbers are arguments. Without observers a call costs one
check of an empty tuple more.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from continuum.errors import ContinuumError, JournalUnavailable
from continuum.journal.outages import Outage

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("continuum.journal")


class Clock(Protocol):
    """What a retry needs of a clock, in seconds."""

    def monotonic(self) -> float:
        """Return a time that only grows."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> object:
        """Call `callback` after `delay`."""
        ...


class LoopClock:
    """The clock of the running event loop."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> object:
        """Call `callback` after `delay`."""
        return asyncio.get_running_loop().call_later(delay, callback, *args)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is made again; times in seconds. Delays double up to `longest_delay`.

    No attempt after the second begins later than `patience` after the first; the first may have spent
    all of that on a connection that turned out to be dead. `jitter` is the share of each delay
    that is random, so that many processes do not return at the same moment.
    """

    first_delay: float
    longest_delay: float
    patience: float = math.inf
    attempts: float = math.inf
    jitter: float = 0.0


class JournalCall(NamedTuple):
    """A finished call: how long it took in seconds, how many attempts failed, how it ended.

    `began` is the clock's time. `error` is what the caller received instead of a result.
    """

    operation: str
    began: float
    seconds: float
    failures: int
    error: BaseException | None


Observer = Callable[[JournalCall], None]


class Retry:
    """Makes calls until they succeed or the policy gives up; `outage`, if given, logs how long that takes.

    `passing` are the errors that are worth another attempt.
    """

    __slots__ = ("_bounded", "_clock", "_observers", "_outage", "_passing", "_policy", "_random")

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        random: Callable[[], float],
        outage: Outage | None = None,
        *,
        passing: tuple[type[ContinuumError], ...] = (JournalUnavailable,),
    ) -> None:
        self._outage = outage
        self._passing = passing
        self._policy = policy
        self._bounded = policy.patience < math.inf
        self._clock = clock
        self._random = random
        self._observers: tuple[Observer, ...] = ()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Report every finished call to `observer`; the returned function ends that."""
        self._observers = (*self._observers, observer)

        def stop() -> None:
            self._observers = tuple(other for other in self._observers if other is not observer)

        return stop

    def bind(
        self, operation: str, phrase: str, call: Callable[P, Awaitable[T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return `call` with retries. `phrase` names it in log lines, such as "loading histories"."""

        def retried(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return self(operation, phrase, call, *args, **kwargs)

        return retried

    async def __call__(
        self,
        operation: str,
        phrase: str,
        call: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Make one call with retries."""
        # Reading the clock would be the dearest part of a call that succeeds at once.
        timed = self._bounded or bool(self._observers)
        began = self._clock.monotonic() if timed else 0.0
        failures = 0
        failed: BaseException | None = None
        try:
            while True:
                try:
                    result = await call(*args, **kwargs)
                except self._passing as error:
                    failures += 1
                    if not self._again(failures, began):
                        raise
                    if self._outage is not None:
                        self._outage.failed(phrase, error)
                    await self._sleep(self._delay(failures))
                else:
                    if failures and self._outage is not None:
                        self._outage.answered()
                    return result
        except BaseException as error:
            failed = error
            raise
        finally:
            if timed and self._observers:
                self._report(operation, began, failures, failed)
            failed = None  # it refers to this frame: without this, only the garbage collector frees both

    def _again(self, failures: int, began: float) -> bool:
        policy = self._policy
        if failures >= policy.attempts:
            return False
        return (
            not self._bounded
            or failures == 1
            or self._clock.monotonic() + self._longest(failures) <= began + policy.patience
        )

    def _longest(self, failures: int) -> float:
        """Return the delay after this many failures, before jitter."""
        # The exponent is bounded: after a thousand failures the power would be no float any more.
        return min(self._policy.first_delay * 2.0 ** min(failures - 1, 64), self._policy.longest_delay)

    def _delay(self, failures: int) -> float:
        jitter = self._policy.jitter
        longest = self._longest(failures)
        return longest * (1.0 - jitter + jitter * self._random()) if jitter else longest

    async def _sleep(self, seconds: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock.call_later(seconds, _finish, over)
        await over

    def _report(self, operation: str, began: float, failures: int, error: BaseException | None) -> None:
        call = JournalCall(operation, began, self._clock.monotonic() - began, failures, error)
        for observer in self._observers:
            try:
                observer(call)
            except Exception:
                # The call has its outcome: a broken metric must not turn a commit into a failure.
                log.exception("an observer of journal calls failed")


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
