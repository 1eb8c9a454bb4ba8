"""Compensation: undo what was done, last first: by hand, or when a block fails.

A compensation runs once. Whatever is taken from a list of them is off the list before
it runs, and a run that is cancelled meanwhile undoes its work all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, get_args

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
from continuum.errors import InvalidDefinition, InvalidOption

declare_wrapper(__name__)

P = ParamSpec("P")
Cause = TypeVar("Cause", bound=BaseException)

Mode: TypeAlias = Literal["sequential", "parallel"]
_MODES = get_args(Mode)

Entry: TypeAlias = Deferred[Any] | ActivityRef[Any]
"""What a block has to undo: something added by hand, or a call that says itself what undoes it."""


class Saga:
    """The compensations of one block. Entering it is free; nothing is journaled until they run."""

    def __init__(self) -> None:
        self._stack: list[Entry] = []
        self._outer: list[Entry] | None = None

    def add(self, activity: Callable[P, Coroutine[Any, Any, Any]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Note that `activity(*args, **kwargs)` undoes what was just done."""
        if not isinstance(activity, Activity | ConfiguredActivity):
            raise InvalidDefinition(f"a compensation must be an activity, not {activity!r}")
        self._stack.append(activity.bind(*args, **kwargs))

    async def compensate(self, mode: Mode = "sequential") -> None:
        """Run the compensations noted so far, last first, each once.

        Every one is tried; those that failed are raised together as an `ExceptionGroup`
        of `ActivityError` afterwards.
        """
        _check(mode)
        await _all_of(self._taken(), mode, user_site())

    def _taken(self) -> list[Deferred[Any]]:
        stack, self._stack[:] = self._stack[::-1], []
        return list(_still_to_undo(stack))

    async def __aenter__(self) -> Saga:
        require("continuum.saga()")
        self._outer = innermost_block.get()
        innermost_block.set(self._stack)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A run that is put away (GeneratorExit) or cannot go on (Control) has not failed. It is
        # put away in another context, too, where there is nothing to set back.
        if isinstance(error, (Control, GeneratorExit)):
            return
        innermost_block.set(self._outer)
        if error is None:
            # What a block inside another has called, the other may have to undo.
            if self._outer is not None:
                self._outer += [entry for entry in self._stack if isinstance(entry, ActivityRef)]
            return
        failures, cancelled = await _to_the_end(self._taken(), "sequential", user_site())
        _noted(error, failures)
        if cancelled is not None:
            raise _noted(cancelled, failures)


def saga() -> Saga:
    """Return a block that compensates, last first, when it is left by an exception or a cancellation."""
    return Saga()


async def compensate(ref: ActivityRef[Any]) -> Any:
    """Undo the call that returned `ref`, once, and return what its compensation returned.

    A compensation that fails raises `ActivityError`; it is not tried again.
    """
    execution = require("continuum.compensate()")
    if not isinstance(ref, ActivityRef):
        raise InvalidOption(
            f"compensate() takes what a call with options(compensate=...) returned, not {ref!r:.100}"
        )
    if not take(execution, ref):
        raise InvalidOption(f"this call of {ref.activity} was compensated before, or belongs to another run")
    undoing = asyncio.get_running_loop().create_task(_undo(ref.undo, user_site()))
    cancelled = await _over(undoing)
    if cancelled is not None:
        error = undoing.exception()
        raise _noted(cancelled, [error] if isinstance(error, Exception) else [])
    return undoing.result()


async def compensate_all(mode: Mode = "sequential") -> None:
    """Undo every call of this run made through `options(compensate=...)` and not undone yet, last first.

    Every one is tried; those that failed are raised together as an `ExceptionGroup` of
    `ActivityError` afterwards.
    """
    execution = require("continuum.compensate_all()")
    _check(mode)
    noted = list(execution.compensations or ())[::-1]
    await _all_of(list(_still_to_undo(noted)), mode, user_site())


def _check(mode: Mode) -> None:
    if mode not in _MODES:
        raise ValueError(f"mode must be 'sequential' or 'parallel', not {mode!r}")


def _still_to_undo(stack: Iterable[Entry]) -> Iterator[Deferred[Any]]:
    """Take what is left to do: a call that has been undone by hand, or by a block around, is done with."""
    execution = require("a compensation")
    for entry in stack:
        if isinstance(entry, Deferred):
            yield entry
        elif take(execution, entry):
            yield entry.undo


async def _all_of(stack: list[Deferred[Any]], mode: Mode, site: Site) -> None:
    failures, cancelled = await _to_the_end(stack, mode, site)
    if cancelled is not None:
        raise _noted(cancelled, failures)
    if failures:
        raise ExceptionGroup("compensations failed", failures)


async def _to_the_end(
    stack: list[Deferred[Any]], mode: Mode, site: Site
) -> tuple[list[Exception], asyncio.CancelledError | None]:
    """Run compensations, and return what failed and the cancellation that came meanwhile."""
    if not stack:
        return [], None
    undoing = asyncio.get_running_loop().create_task(_undo_all(stack, mode, site))
    cancelled = await _over(undoing)
    return undoing.result(), cancelled


async def _over(undoing: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Return when a task of its own is done: a run that is cancelled while it undoes its work undoes it."""
    cancelled: asyncio.CancelledError | None = None
    while not undoing.done():
        try:
            await asyncio.wait([undoing])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


async def _undo_all(stack: list[Deferred[Any]], mode: Mode, site: Site) -> list[Exception]:
    if mode == "parallel":
        answers = await asyncio.gather(*(_undo(entry, site) for entry in stack), return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, Exception)]
    failures: list[Exception] = []
    for entry in stack:
        try:
            await _undo(entry, site)
        except Exception as error:  # noqa: BLE001 - every one is tried, then all are told
            failures.append(error)
    return failures


def _undo(entry: Deferred[Any], site: Site) -> Coroutine[Any, Any, Any]:
    return entry.activity.perform(
        require("a compensation"),
        site,
        entry.args,
        entry.kwargs,
        entry.options,
        EventType.COMPENSATION_SCHEDULED,
    )


def _noted(error: Cause, failures: list[Exception]) -> Cause:
    for failure in failures:
        error.add_note(f"compensation failed: {failure}")
    return error
