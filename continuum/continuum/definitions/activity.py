"""Activities: the only place where a workflow has effects on the outside world.

Inside a workflow, a call goes through the journal. Outside, it just runs the function, so unit tests of
activities and of their callers need no set-up.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

from continuum.codec.arguments import ArgumentsCodec, resolve_hints
from continuum.codec.codec import (
    Check,
    Decoder,
    completeness_check,
    decoder_for,
    encode,
    fitter_for,
    kept_types,
    takes_anything,
)
from continuum.definitions.activity_calls import CompensatedActivity, ConfiguredActivity, Deferred
from continuum.definitions.activity_options import (
    ActivityOptions,
    IdempotencyKey,
    check_key_template,
    make_options,
    resolve_key,
    restore_options,
    store_changes,
)
from continuum.definitions.call_outcome import outcome_of_call
from continuum.definitions.functions import is_async, local_names
from continuum.definitions.name_rules import DEFINITION_NAME_BYTES, check_name
from continuum.definitions.repeated_calls import COMPENSATION, encode_repeated
from continuum.definitions.summaries import check_summary, summary_of
from continuum.engine.call_site import Site
from continuum.engine.events import EventType
from continuum.engine.execution import Execution, current
from continuum.engine.pending import Options
from continuum.engine.retry import Retry
from continuum.engine.snapshot_replay import COMPLETED_CALL, NO_VALUE, next_value
from continuum.errors import ActivityError, DurableTermError, InvalidDefinition
from continuum.quoting import quoted, shortened
from continuum.source.definition import Definition

P = ParamSpec("P")
R = TypeVar("R")

Compensation: TypeAlias = Deferred[Any] | Callable[[R], Coroutine[Any, Any, Any]]
"""What compensates a call: a call that is bound already, or an activity that takes the result."""

_DEFINED: dict[str, Activity[..., Any]] = {}


def defined_activities() -> dict[str, Activity[..., Any]]:
    """Return every activity defined in this process, by name."""
    return dict(_DEFINED)


_reusing_loaded = ContextVar("_reusing_loaded", default=False)


@contextmanager
def reuse_loaded_activities() -> Iterator[None]:
    """Make `@activity` return the loaded activity of the same name, if there is one, in this block.

    For loading the stored source of an earlier version: its runs schedule activities by name, and the current
    activities execute them.
    """
    token = _reusing_loaded.set(True)
    try:
        yield
    finally:
        _reusing_loaded.reset(token)


class Activity(Definition, Generic[P, R]):
    """A function whose calls from a workflow are journaled, retried and resumed."""

    kind = "activity"

    def __init__(
        self,
        fn: Callable[P, Any],
        name: str | None,
        options: ActivityOptions,
        *,
        is_async: bool,
        listed: bool = True,
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        # Has the annotations: a test may replace `fn` with a mock.
        self._declared = fn
        self.name = fn.__qualname__ if name is None else name
        check_name(self.name, "an activity's name", most=DEFINITION_NAME_BYTES)
        self.defaults = options
        self._local_names = local_names(fn)
        self.arguments = ArgumentsCodec(fn, path=self.name, names=self._local_names)
        self.is_async = is_async
        self.result_path = f"result of {self.name}"
        check_key_template(options.idempotency_key, self.arguments.signature, self.name)
        check_summary(options.summary, self.arguments.signature, self.name)
        if self.is_async and options.executor == "process":
            raise InvalidDefinition(
                f"activity {self.name} is async; executor='process' is for plain functions"
            )
        if not listed:
            return
        previous = _DEFINED.get(self.name)
        if previous is not None and previous.origin != self.origin:
            raise InvalidDefinition(
                f"two activities are named {quoted(self.name)} ({previous.origin[0]} and {self.origin[0]}); "
                "give one a name="
            )
        _DEFINED[self.name] = self

    @property
    def origin(self) -> tuple[str, str]:
        """The module and qualified name of the function."""
        return self.fn.__module__, self.fn.__qualname__

    def __repr__(self) -> str:
        return f"<activity {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        execution = current()
        if execution is None:
            return self._directly(args, kwargs)
        frame = sys._getframe(1)
        return self.perform(execution, (frame.f_code, frame.f_lasti), args, kwargs)

    @overload
    def options(
        self,
        *,
        retry: Retry | None = None,
        timeout: float | timedelta | None = None,
        heartbeat_timeout: float | timedelta | None = None,
        total_timeout: float | timedelta | None = None,
        idempotency_key: IdempotencyKey | None = None,
        queue: str | None = None,
        priority: int | None = None,
        executor: Literal["thread", "process"] | None = None,
        at_most_once: bool | None = None,
        summary: str | None = None,
        compensate: None = None,
    ) -> ConfiguredActivity[P, R]: ...
    @overload
    def options(
        self,
        *,
        retry: Retry | None = None,
        timeout: float | timedelta | None = None,
        heartbeat_timeout: float | timedelta | None = None,
        total_timeout: float | timedelta | None = None,
        idempotency_key: IdempotencyKey | None = None,
        queue: str | None = None,
        priority: int | None = None,
        executor: Literal["thread", "process"] | None = None,
        at_most_once: bool | None = None,
        summary: str | None = None,
        compensate: Compensation[R],
    ) -> CompensatedActivity[P, R]: ...
    def options(
        self,
        *,
        compensate: Compensation[R] | None = None,
        **given: Any,
    ) -> ConfiguredActivity[P, R] | CompensatedActivity[P, R]:
        """Return this activity with some options changed for the calls made through it.

        `compensate` compensates the call: `undo.bind(...)`, or an activity whose only argument is the result
        of the call. Such a call returns an `ActivityRef`, and is recorded for `continuum.compensate_all()`
        and for the `saga` block around it.
        """
        options = make_options(self.defaults, given)
        check_key_template(options.idempotency_key, self.arguments.signature, self.name)
        check_summary(options.summary, self.arguments.signature, self.name)
        configured = ConfiguredActivity(self, options)
        return configured if compensate is None else CompensatedActivity(configured, _undo_of(compensate))

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
        """Return a call to make later; its arguments are checked now."""
        return Deferred(self, self.defaults, args, kwargs)

    async def perform(
        self,
        execution: Execution,
        site: Site,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: ActivityOptions | None = None,
        type: EventType = EventType.ACTIVITY_SCHEDULED,
        since: int | None = None,
    ) -> R:
        """Call through the journal of `execution`."""
        log = execution.log
        compact = log.compact
        if compact is not None and execution.loop.quiet:
            value = next_value(execution, compact, COMPLETED_CALL, type, self.name, site)
            if value is not NO_VALUE:
                result: R = value if value.__class__ in self.kept_results else self.fit_result(value)
                return result
        if log.history or compact is not None or type is COMPENSATION:
            arguments = encode_repeated(execution, type, self.name, site, self.arguments, args, kwargs)
        else:
            arguments = self.arguments.encode_call(args, kwargs)
        changes: Options = None
        if options is not None or self.defaults.idempotency_key is not None:
            effective = options or self.defaults
            key = effective.idempotency_key
            resolved = resolve_key(key, self.arguments.signature, args, kwargs) if key is not None else None
            changes = store_changes(self.defaults, effective, resolved)
        template, summary = (options or self.defaults).summary, None
        if template is not None and log.next_recorded() is None:
            # A replay keeps what was said when the call was made.
            summary = summary_of(template, self.arguments.signature, args, kwargs)
        pending = execution.schedule(type, self.name, site, arguments, changes, self, since, summary)
        try:
            data = await pending.future
        except asyncio.CancelledError:
            execution.abandon(pending)
            raise
        except ActivityError:
            # Its future has the error, whose traceback has this frame.
            del pending
            raise
        try:
            return cast(R, self.decode_result(data))
        except DurableTermError as error:
            execution.log.unreadable(pending.seq, error)

    def check_takes_one_argument(self) -> None:
        """Refuse an activity that cannot be called with one argument."""
        try:
            self.arguments.signature.bind(None)
        except TypeError as error:
            raise InvalidDefinition(
                f"{self.name} cannot compensate with a result alone: {shortened(error)}; use "
                f"{self.name}.bind(...)"
            ) from error

    def effective_options(self, stored: Options) -> ActivityOptions:
        """Return the options of a journaled call."""
        return restore_options(self.defaults, stored)

    def encode_result(self, value: object) -> bytes:
        """Return the stored form of a result; `DurableTermError` when it has none or is not as annotated.

        A journaled result that cannot be read would block the run for good.
        """
        data = encode(value, path=self.result_path, check=self._check_result)
        if value.__class__ not in self.kept_results and not self._returns_anything:
            self.decode_result(data)
        return data

    @functools.cached_property
    def decode_result(self) -> Decoder:
        """Read a stored result back, by the annotation of the return type."""
        return decoder_for(self.result_type, path=self.result_path)

    @functools.cached_property
    def fit_result(self) -> Callable[[Any], Any]:
        """Convert a decoded result to the annotated type, as `decode_result` does for a stored one."""
        return fitter_for(self.result_type, path=self.result_path)

    @functools.cached_property
    def kept_results(self) -> frozenset[Any]:
        """The types of decoded results that `fit_result` returns unchanged."""
        return kept_types(self.result_type)

    @functools.cached_property
    def _returns_anything(self) -> bool:
        return takes_anything(self.result_type)

    @functools.cached_property
    def _check_result(self) -> Check | None:
        return completeness_check(self.result_type)

    @functools.cached_property
    def result_type(self) -> Any:
        """The annotation of what it returns."""
        return resolve_hints(self._declared, self._local_names).get("return", Any)

    async def _directly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        if self.is_async:
            return cast(R, await self.fn(*args, **kwargs))
        value = (await asyncio.to_thread(outcome_of_call, self.fn, *args, **kwargs)).get()
        if isinstance(value, Coroutine):
            value.close()
            raise TypeError(
                f"the plain function of {self.name} returned a coroutine: write `async def` and await it"
            )
        return cast(R, value)


def _undo_of(compensation: Compensation[R]) -> Deferred[Any] | Callable[[R], Deferred[Any]]:
    if isinstance(compensation, Activity | ConfiguredActivity):
        compensation.check_takes_one_argument()
        undo: Callable[[R], Deferred[Any]] = compensation.bind
        return undo
    if isinstance(compensation, Deferred):
        return compensation
    raise InvalidDefinition(
        f"compensate is undo.bind(...), or an activity that takes the result, not {compensation!r:.100}"
    )


@overload
def activity(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
@overload
def activity(fn: Callable[P, R], /) -> Activity[P, R]: ...
@overload
def activity(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
    heartbeat_timeout: float | timedelta | None = None,
    total_timeout: float | timedelta | None = None,
    idempotency_key: IdempotencyKey | None = None,
    queue: str | None = None,
    priority: int = 0,
    executor: Literal["thread", "process"] = "thread",
    at_most_once: bool = False,
    summary: str | None = None,
) -> ActivityDecorator: ...
def activity(fn: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Declare an activity.

    `retry` decides which exceptions lead to another attempt (default: none). `timeout` limits one attempt,
    `heartbeat_timeout` the time between its heartbeats, and `total_timeout` the whole call: all attempts and
    every wait before and between them; each is in seconds or a timedelta. `idempotency_key`, a template over
    the parameters or a callable, makes calls with the same key share the first result, across runs; calls
    that overlap in time may all execute, and still share one result. `queue` gives the call to any node that
    serves the queue, highest `priority` first; without a queue it runs on the node that owns the run.
    `executor="process"` runs a plain function in a process that is killed on timeout. After a crash of that
    process the activity runs again, up to 5 times, unless `at_most_once`. `summary`, such as
    "charge {order.id}", is a template of a line for people about each call.
    """
    decorator = ActivityDecorator(name, make_options(ActivityOptions(), options))
    return decorator if fn is None else decorator(fn)


class ActivityDecorator:
    """What `@activity(...)` applies to a function."""

    __slots__ = ("_name", "_options")

    def __init__(self, name: str | None, options: ActivityOptions) -> None:
        self._name = name
        self._options = options

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]]) -> Activity[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R]) -> Activity[P, R]: ...
    def __call__(self, fn: Callable[..., Any]) -> Any:
        loaded = _DEFINED.get(self._name or fn.__qualname__) if _reusing_loaded.get() else None
        return loaded or Activity(
            fn,
            self._name,
            self._options,
            is_async=is_async(fn, "@activity"),
            listed=not _reusing_loaded.get(),
        )
