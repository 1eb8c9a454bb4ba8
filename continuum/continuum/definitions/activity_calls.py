"""Activity calls with extras: per-call options, a compensation, or a deferred call (`bind`).

`record` and `take` keep the list of calls that may have to be compensated, for `saga.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from continuum.codec.arguments import ArgumentsCodec
from continuum.definitions.activity_options import ActivityOptions
from continuum.engine.call_site import Site
from continuum.engine.events import EventType
from continuum.engine.execution import Execution, current

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

innermost_block: ContextVar[list[Any] | None] = ContextVar("continuum_saga", default=None)
"""The compensations of the innermost `saga` block around this code; None outside such a block."""


class PerformedActivity(Protocol[R_co]):
    """The part of an activity that a call through the journal needs."""

    @property
    def name(self) -> str:
        """The activity's name."""
        ...

    @property
    def arguments(self) -> ArgumentsCodec:
        """The codec of its parameters."""
        ...

    def perform(
        self,
        execution: Execution,
        site: Site,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: ActivityOptions | None = None,
        type: EventType = EventType.ACTIVITY_SCHEDULED,
        since: int | None = None,
    ) -> Coroutine[Any, Any, R_co]:
        """Call through the journal of `execution`.

        A compensation undoes nothing from before the event `since`; without, that is not known.
        """
        ...


class CallableActivity(PerformedActivity[R_co], Protocol[P, R_co]):
    """An activity as its callers see it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R_co]: ...

    def check_takes_one_argument(self) -> None:
        """Refuse an activity that cannot be called with one argument."""
        ...


class ConfiguredActivity(Generic[P, R]):
    """An activity with options of its own; made by `Activity.options`."""

    __slots__ = ("_activity", "_options")

    def __init__(self, activity: CallableActivity[P, R], options: ActivityOptions) -> None:
        self._activity = activity
        self._options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        execution = current()
        if execution is None:
            return self._activity(*args, **kwargs)
        frame = sys._getframe(1)
        return self.perform(execution, (frame.f_code, frame.f_lasti), args, kwargs)

    @property
    def name(self) -> str:
        """The activity's name."""
        return self._activity.name

    def perform(
        self, execution: Execution, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, R]:
        """Call through the journal of `execution`."""
        return self._activity.perform(execution, site, args, kwargs, self._options)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
        """Return a call to make later; its arguments are checked now."""
        return Deferred(self._activity, self._options, args, kwargs)

    def check_takes_one_argument(self) -> None:
        """Refuse an activity that cannot be called with one argument."""
        self._activity.check_takes_one_argument()


class Deferred(Generic[R]):
    """A call that has not been made yet; made by `bind`."""

    __slots__ = ("activity", "args", "kwargs", "options")

    def __init__(
        self,
        activity: PerformedActivity[R],
        options: ActivityOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        activity.arguments.check_fits(args, kwargs)
        self.activity = activity
        self.options = options
        self.args = args
        self.kwargs = kwargs


@dataclass(frozen=True, slots=True, eq=False)
class ActivityRef(Generic[R]):
    """A call made through `options(compensate=...)`: its `result`, and the call that compensates it.

    It belongs to the run that made the call; pass on or store `result`, not the reference.
    """

    activity: str
    result: R
    undo: Deferred[Any] = field(repr=False)
    # The seq of the call, if a run has made it.
    seq: int | None = field(default=None, repr=False)


@overload
def unwrap(value: ActivityRef[R]) -> R: ...
@overload
def unwrap(value: T) -> T: ...
def unwrap(value: Any) -> Any:
    """Return the result of an `ActivityRef`, and any other value unchanged."""
    return value.result if isinstance(value, ActivityRef) else value


def record(execution: Execution, ref: ActivityRef[Any]) -> None:
    """Append a call to the compensations of the run and of the `saga` block around it."""
    if execution.compensations is None:
        execution.compensations = {}
    execution.compensations[ref] = None
    block = innermost_block.get()
    if block is not None:
        block.append(ref)


def take(execution: Execution, ref: ActivityRef[Any]) -> bool:
    """Remove a call from the compensations of the run; return whether it was among them."""
    recorded = execution.compensations
    if recorded is None or ref not in recorded:
        return False
    del recorded[ref]
    return True


class CompensatedActivity(Generic[P, R]):
    """An activity with a compensation for each call; made by `Activity.options(compensate=...)`."""

    __slots__ = ("_configured", "_undo")

    def __init__(
        self, configured: ConfiguredActivity[P, R], undo: Deferred[Any] | Callable[[R], Deferred[Any]]
    ) -> None:
        self._configured = configured
        self._undo = undo

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, ActivityRef[R]]:
        execution = current()
        if execution is None:
            return self._directly(args, kwargs)
        frame = sys._getframe(1)
        return self._perform(execution, (frame.f_code, frame.f_lasti), args, kwargs)

    async def _perform(
        self, execution: Execution, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActivityRef[R]:
        # The call takes this place before anything else happens.
        seq = execution.log.position
        ref = self._ref(await self._configured.perform(execution, site, args, kwargs), seq)
        record(execution, ref)
        return ref

    async def _directly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActivityRef[R]:
        return self._ref(await self._configured(*args, **kwargs))

    def _ref(self, result: R, seq: int | None = None) -> ActivityRef[R]:
        undo = self._undo
        return ActivityRef(
            self._configured.name, result, undo if isinstance(undo, Deferred) else undo(result), seq
        )
