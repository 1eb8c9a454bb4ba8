"""Workflows: functions whose runs survive crashes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Generic, NoReturn, ParamSpec, TypedDict, TypeVar, TypeVarTuple, Unpack, overload

from continuum.codec.arguments import ArgumentsCodec, resolve_hints
from continuum.codec.codec import (
    Check,
    Decoder,
    completeness_check,
    decoder_for,
    encode,
    kept_types,
    takes_anything,
)
from continuum.definitions.call_signatures import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
)
from continuum.definitions.child_workflow import (
    ChildHandle,
    ConfiguredChild,
    ParentClosePolicy,
    begin_child,
    call_child,
    check_options_are_clear,
)
from continuum.definitions.effects import require
from continuum.definitions.functions import is_async, local_names
from continuum.definitions.name_rules import DEFINITION_NAME_BYTES, check_name
from continuum.definitions.run_input import encode_input
from continuum.definitions.signal import Signal
from continuum.definitions.workflow_options import OnChange, WorkflowOptions
from continuum.engine.continue_as_new import continue_run
from continuum.engine.events import EventType
from continuum.engine.execution import Execution, current
from continuum.errors import InvalidDefinition, NotInWorkflow
from continuum.quoting import quoted
from continuum.source.content_hash import content_hash
from continuum.source.definition import Definition
from continuum.source.module_source import module_source

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


class ChildOptions(TypedDict, total=False):
    """The options of `Workflow.start_child`; see there."""

    id: str | None
    parent_close_policy: ParentClosePolicy | None


class Workflow(Definition, Generic[P, R]):
    """A durable function: started through a client, replayed after a crash."""

    kind = "workflow"

    def __init__(self, fn: Callable[P, Coroutine[Any, Any, R]], options: WorkflowOptions) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = fn.__qualname__ if options.name is None else options.name
        check_name(self.name, "a workflow's name", most=DEFINITION_NAME_BYTES)
        self.label = str(options.label)
        self.on_change: OnChange = options.on_change
        self.signals = {signal.name: signal for signal in options.signals}
        keep = options.retention
        # Seconds after its end until a run may be removed.
        self.retention = keep.total_seconds() if keep is not None else None
        self.snapshot_threshold = options.snapshot_threshold
        self._local_names = local_names(fn)
        self.arguments = ArgumentsCodec(fn, path="input", names=self._local_names)
        # Read now: the file may have changed by the time the hash is computed.
        self.source = module_source(fn)

    def __repr__(self) -> str:
        return f"<workflow {self.name} label {self.label}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R]:
        """Run it as a child of the calling run; awaiting returns its result."""
        execution = self._caller()
        frame = sys._getframe(1)
        return call_child(execution, self, (frame.f_code, frame.f_lasti), args, kwargs)

    @overload
    def start_child(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, ChildHandle[R]]: ...
    @overload
    def start_child(
        self: StartableWithNone[S], **options: Unpack[ChildOptions]
    ) -> Coroutine[Any, Any, ChildHandle[S]]: ...
    @overload
    def start_child(
        self: Startable[*Ts, S], *args: *Ts, **options: Unpack[ChildOptions]
    ) -> Coroutine[Any, Any, ChildHandle[S]]: ...
    @overload
    def start_child(
        self: StartableWithOne[A, S], argument: A, /, **options: Unpack[ChildOptions]
    ) -> Coroutine[Any, Any, ChildHandle[S]]: ...
    @overload
    def start_child(
        self: StartableWithTwo[A, B, S], first: A, second: B, /, **options: Unpack[ChildOptions]
    ) -> Coroutine[Any, Any, ChildHandle[S]]: ...
    def start_child(self, *args: Any, **given: Any) -> Coroutine[Any, Any, ChildHandle[Any]]:  # type: ignore[misc]  # mypy cannot match TypeVarTuple with Any
        """Start it as a child of the calling run; awaiting returns a handle at once.

        The child's run id is derived from `id`, the id of this run and the position in its history.
        `parent_close_policy` decides what happens to an open child when this run ends. None: the child is
        stopped if this run is cancelled. "cancel": the child is stopped however this run ends. "abandon": the
        child keeps running. Where a parameter has one of these names, write `options(...).start_child(...)`.
        """
        execution = self._caller()
        frame = sys._getframe(1)
        site = frame.f_code, frame.f_lasti
        if given:
            check_options_are_clear(execution, self, args, given.keys() & ChildOptions.__annotations__)
        id, policy = given.pop("id", None), given.pop("parent_close_policy", None)
        return begin_child(execution, self, site, args, given, id, policy)

    def options(
        self, *, id: str | None = None, parent_close_policy: ParentClosePolicy | None = None
    ) -> ConfiguredChild[P, R]:
        """Return an object whose `start_child` has these options and passes every keyword on."""
        return ConfiguredChild(self, id, parent_close_policy)

    def continue_as_new(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        """End the calling run and continue as a run of this workflow; see `continuum.continue_as_new`."""
        execution = require("continue_as_new()")
        frame = sys._getframe(1)
        data = encode_input(execution, EventType.RUN_CONTINUED_AS_NEW, self, args, kwargs)
        continue_run(execution, self.name, (frame.f_code, frame.f_lasti), data)

    def _caller(self) -> Execution:
        execution = current()
        if execution is None:
            raise NotInWorkflow(
                f"{self.name} is a workflow; start it with `await client.start({self.name}, ...)`"
            )
        return execution

    @functools.cached_property
    def version_hash(self) -> str:
        """The hash of what the code means; it names the version. `label` is for people."""
        return content_hash(self.fn, self.source)

    def encode_result(self, value: object) -> bytes:
        """Return the stored form of a result; `DurableTermError` when it has none or is not as annotated.

        Check it before it is stored: a caller could not read it afterwards.
        """
        data = encode(value, path="result", check=self._check_result)
        if value.__class__ not in self._kept_results and not takes_anything(self.result_type):
            self.decode_result(data)
        return data

    @functools.cached_property
    def decode_result(self) -> Decoder:
        """Read a stored result back, by the annotation of the return type."""
        return decoder_for(self.result_type, path="result")

    @functools.cached_property
    def _kept_results(self) -> frozenset[Any]:
        return kept_types(self.result_type)

    @functools.cached_property
    def _check_result(self) -> Check | None:
        return completeness_check(self.result_type)

    @functools.cached_property
    def result_type(self) -> Any:
        """The annotation of what it returns."""
        return resolve_hints(self.fn, self._local_names).get("return", Any)


class WorkflowDecorator:
    """What `@workflow(...)` applies to a function."""

    __slots__ = ("_options",)

    __continuum_decorator__ = True

    def __init__(self, options: WorkflowOptions) -> None:
        self._options = options

    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]]) -> Workflow[P, R]:
        if not is_async(fn, "@workflow"):
            raise InvalidDefinition(
                f"@workflow goes on an `async def`, not on the plain function {fn.__qualname__}; "
                "write `async def` before its name"
            )
        defined = Workflow(fn, self._options)
        # Loaded here and not above: a program that only sends signals defines no workflow.
        from continuum.scanner.on_definition import check_workflow

        check_workflow(defined.name, fn, defined.signals)
        return defined


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    label: int = 1,
    signals: Sequence[Signal[Any]] = (),
    retention: timedelta | None = None,
    snapshot_threshold: int | None = None,
    on_change: OnChange = "replay",
) -> WorkflowDecorator: ...
def workflow(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    label: int = 1,
    signals: Sequence[Signal[Any]] = (),
    retention: timedelta | None = None,
    snapshot_threshold: int | None = None,
    on_change: OnChange = "replay",
    version: object = ...,
) -> Any:
    """Declare a workflow. `name` defaults to the function's name.

    `label` is a whole number from 1 for people. When a node has loaded several versions of a workflow, new
    runs start with the highest label. `signals` lists the signals that the runs accept; every other name is
    then refused. `retention` is how long an ended run and its history are kept, None for ever.
    `snapshot_threshold` is the number of events after which a run's history is compacted, None for the
    node's setting.

    `on_change` decides what happens to open runs when their code changes. "replay": they continue with the
    new code if it issues the commands in their history, otherwise they wait for a node that has loaded
    their own version. "wait": they always wait for such a node. "pin": nodes store the source of every
    version in the database and execute it for the runs that began with it.
    """
    if version is not ...:
        raise InvalidDefinition(
            f"@workflow has no version=; write label={quoted(version)} (a version is the hash of the code)"
        )
    options = WorkflowOptions(name, label, signals, retention, snapshot_threshold, on_change)
    decorator = WorkflowDecorator(options)
    return decorator if fn is None else decorator(fn)


workflow.__continuum_decorator__ = True  # type: ignore[attr-defined]  # overloads hide that it is a function
