"""Calls of activities that say more than their arguments: options of their own, what undoes them, not yet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from continuum.activity_ref import ActivityRef, note
from continuum.definitions.activity_options import ActivityOptions
from continuum.engine.call_site import Site
from continuum.engine.execution import Execution
from continuum.engine.loop.current import current

if TYPE_CHECKING:
    from continuum.definitions.activity import Activity

P = ParamSpec("P")
R = TypeVar("R")


class ConfiguredActivity(Generic[P, R]):
    """An activity with options of its own; made by `Activity.options`."""

    __slots__ = ("_activity", "_options")

    def __init__(self, activity: Activity[P, R], options: ActivityOptions) -> None:
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
        """Return a call to be made later, checked now."""
        return Deferred(self._activity, self._options, args, kwargs)

    def check_takes_one_argument(self) -> None:
        """Refuse an activity that a result alone is not enough for, or too much."""
        self._activity.check_takes_one_argument()


class Deferred(Generic[R]):
    """A call that has not been made yet; made by `bind`."""

    __slots__ = ("activity", "args", "kwargs", "options")

    def __init__(
        self,
        activity: Activity[..., R],
        options: ActivityOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        activity.arguments.check_fits(args, kwargs)
        self.activity = activity
        self.options = options
        self.args = args
        self.kwargs = kwargs


class CompensatedActivity(Generic[P, R]):
    """An activity whose calls can be undone; made by `Activity.options(compensate=...)`."""

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
        ref = self._ref(await self._configured.perform(execution, site, args, kwargs))
        note(execution, ref)
        return ref

    async def _directly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActivityRef[R]:
        return self._ref(await self._configured(*args, **kwargs))

    def _ref(self, result: R) -> ActivityRef[R]:
        undo = self._undo
        return ActivityRef(
            self._configured.name, result, undo if isinstance(undo, Deferred) else undo(result)
        )
