"""Compensation: undoes calls in reverse order, explicitly or when a `saga` block fails.

A compensation runs once: it is removed from its list before it runs. Cancelling the run meanwhile does not
stop the compensations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar, get_args

from continuum.definitions.activity import Activity
from continuum.definitions.activity_calls import (
    ActivityRef,
    ConfiguredActivity,
    Deferred,
    innermost_block,
    take,
)
from continuum.definitions.effects import require
from continuum.engine.call_site import Site, declare_wrapper, user_site
from continuum.engine.control import Control
from continuum.engine.events import EventType
from continuum.engine.execution import current
from continuum.errors import InvalidDefinition, InvalidOption
from continuum.quoting import quoted

declare_wrapper(__name__)

P = ParamSpec("P")
Cause = TypeVar("Cause", bound=BaseException)

Mode: TypeAlias = Literal["sequential", "parallel"]
_MODES = get_args(Mode)


class Undoing(NamedTuple):
    """A compensation, and the seq before which nothing was that it undoes; None if that is not known.

    It is journaled: a run is not restarted from a history that holds what has been undone.
    """

    call: Deferred[Any]
    since: int | None


Entry: TypeAlias = Undoing | ActivityRef[Any]
"""What a block has to undo: a compensation added by `Saga.add`, or a call with its own compensation."""


class Saga:
    """The compensations of one block. Nothing is journaled until they run."""

    def __init__(self) -> None:
        self._stack: list[Entry] = []
        self._outer: list[Entry] | None = None
        # Where the block began, and the first call or child that was pending then; None outside of a block.
        self._began: int | None = None
        self._since: int | None = None

    def add(self, activity: Callable[P, Coroutine[Any, Any, Any]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add `activity(*args, **kwargs)` as the compensation of what was just done in this block."""
        if not isinstance(activity, Activity | ConfiguredActivity):
            raise InvalidDefinition(f"a compensation must be an activity, not {quoted(activity)}")
        self._stack.append(Undoing(activity.bind(*args, **kwargs), self._undone_since()))

    async def compensate(self, mode: Mode = "sequential") -> None:
        """Run the compensations added so far, in reverse order, each once.

        All of them are tried; the failures are raised together afterwards as an `ExceptionGroup` of
        `ActivityError`.
        """
        _check(mode)
        await _all_of(self._taken(), mode, user_site())

    def _undone_since(self) -> int | None:
        execution = current()
        if self._since is None or execution is None or execution.log.position == self._began:
            # Nothing was done in the block yet, so that it may be about something from before.
            return None
        return self._since

    def _taken(self) -> list[Undoing]:
        stack, self._stack[:] = self._stack[::-1], []
        return list(_still_to_undo(stack))

    async def __aenter__(self) -> Saga:
        execution = require("continuum.saga()")
        self._began = execution.log.position
        # What is awaited in the block may have begun before it.
        self._since = min((self._began, *execution.pending, *(execution.children or ())))
        self._outer = innermost_block.get()
        innermost_block.set(self._stack)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # An evicted run (GeneratorExit) or one that cannot continue (Control) has not failed. Eviction
        # happens in another context, where there is no variable to reset.
        if kind is not None and issubclass(kind, (Control, GeneratorExit)):
            return
        innermost_block.set(self._outer)
        if error is None:
            # The outer block may still have to undo the calls of this one.
            if self._outer is not None:
                self._outer += [entry for entry in self._stack if isinstance(entry, ActivityRef)]
            return
        failures, cancelled = await _run_all(self._taken(), "sequential", user_site())
        _with_notes(error, failures)
        if cancelled is not None:
            try:
                raise _with_notes(cancelled, failures)
            finally:
                # The traceback has this frame.
                del cancelled


def saga() -> Saga:
    """Return a block that compensates in reverse order when an exception or a cancellation leaves it."""
    return Saga()


async def compensate(ref: ActivityRef[Any]) -> Any:
    """Compensate the call that returned `ref`, once, and return the result of the compensation.

    A failing compensation raises `ActivityError`; it is not tried again.
    """
    execution = require("continuum.compensate()")
    if not isinstance(ref, ActivityRef):
        raise InvalidOption(
            f"compensate() takes what a call with options(compensate=...) returned, not {ref!r:.100}"
        )
    if not take(execution, ref):
        raise InvalidOption(f"this call of {ref.activity} was compensated before, or belongs to another run")
    undoing = asyncio.get_running_loop().create_task(_undo(Undoing(ref.undo, ref.seq), user_site()))
    cancelled = await _finish(undoing)
    try:
        if cancelled is not None:
            error = undoing.exception()
            raise _with_notes(cancelled, [error] if isinstance(error, Exception) else [])
        return undoing.result()
    finally:
        # The traceback of what is raised has this frame.
        del undoing, cancelled


async def compensate_all(mode: Mode = "sequential") -> None:
    """Compensate, in reverse order, every call of this run made through `options(compensate=...)`.

    Calls that are compensated already are skipped. All others are tried; the failures are raised together
    afterwards as an `ExceptionGroup` of `ActivityError`.
    """
    execution = require("continuum.compensate_all()")
    _check(mode)
    recorded = list(execution.compensations or ())[::-1]
    await _all_of(list(_still_to_undo(recorded)), mode, user_site())


def _check(mode: Mode) -> None:
    if mode not in _MODES:
        raise ValueError(f"mode must be 'sequential' or 'parallel', not {quoted(mode)}")


def _still_to_undo(stack: Iterable[Entry]) -> Iterator[Undoing]:
    """Yield what is left to undo: skip calls that `compensate` or an outer block has undone."""
    execution = require("a compensation")
    for entry in stack:
        if isinstance(entry, Undoing):
            yield entry
        elif take(execution, entry):
            yield Undoing(entry.undo, entry.seq)


async def _all_of(stack: list[Undoing], mode: Mode, site: Site) -> None:
    failures, cancelled = await _run_all(stack, mode, site)
    try:
        if cancelled is not None:
            raise _with_notes(cancelled, failures)
        if failures:
            raise ExceptionGroup("compensations failed", failures)
    finally:
        # The traceback of what is raised has this frame.
        del failures, cancelled


async def _run_all(
    stack: list[Undoing], mode: Mode, site: Site
) -> tuple[list[Exception], asyncio.CancelledError | None]:
    """Run compensations; return the failures, and the cancellation that arrived meanwhile."""
    if not stack:
        return [], None
    undoing = asyncio.get_running_loop().create_task(_undo_all(stack, mode, site))
    cancelled = await _finish(undoing)
    return undoing.result(), cancelled


async def _finish(undoing: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Wait until the task is done, even if the run is cancelled: the compensations must finish."""
    cancelled: asyncio.CancelledError | None = None
    try:
        while not undoing.done():
            try:
                await asyncio.wait([undoing])
            except asyncio.CancelledError as error:
                cancelled = error
        return cancelled
    finally:
        # Its traceback has this frame.
        del cancelled


async def _undo_all(stack: list[Undoing], mode: Mode, site: Site) -> list[Exception]:
    if mode == "parallel":
        results = await asyncio.gather(*(_undo(entry, site) for entry in stack), return_exceptions=True)
        return [result for result in results if isinstance(result, Exception)]
    failures: list[Exception] = []
    try:
        for entry in stack:
            try:
                await _undo(entry, site)
            except Exception as error:  # noqa: BLE001 - every one is tried, then all failures are reported
                failures.append(error)
        return failures
    finally:
        # Their tracebacks have this frame.
        del failures


def _undo(entry: Undoing, site: Site) -> Coroutine[Any, Any, Any]:
    call = entry.call
    return call.activity.perform(
        require("a compensation"),
        site,
        call.args,
        call.kwargs,
        call.options,
        EventType.COMPENSATION_SCHEDULED,
        entry.since,
    )


def _with_notes(error: Cause, failures: list[Exception]) -> Cause:
    for failure in failures:
        try:
            BaseException.add_note(error, f"compensation failed: {failure}")
        except Exception:  # noqa: BLE001 - the attributes of the error may raise anything
            # It carries no notes, but must still be the error that leaves the block. The failures are
            # in the history.
            break
    return error
