"""Child workflows: called and awaited, or started and awaited later.

A child is a run of its own, in the namespace and with the attributes of its parent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Coroutine, Generator
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, cast

from continuum.definitions.effects import call_site, require
from continuum.definitions.run_input import TakesInput, encode_input
from continuum.engine.call_site import Site
from continuum.engine.children import ClosePolicy, abandon_child, start_child, stop_child
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingChild
from continuum.errors import ChildFailed, DurableTermError, InvalidOption
from continuum.failures.forgotten_frames import forget_frames
from continuum.quoting import quoted

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

# The id is hashed into the child's run id and stored nowhere.
ID_BYTES = 512

ParentClosePolicy: TypeAlias = Literal["cancel", "abandon"]

_POLICIES = {None: ClosePolicy.CASCADE, "cancel": ClosePolicy.CANCEL, "abandon": ClosePolicy.ABANDON}


class ChildDefinition(TakesInput, Protocol[R_co]):
    """The part of a workflow that its parent needs."""

    @property
    def fn(self) -> Callable[..., Coroutine[Any, Any, R_co]]:
        """The function, for the type of its result."""
        ...


class ChildHandle(Generic[R]):
    """A started child; awaiting it, any number of times, returns its result.

    The await raises `ChildFailed` if the child failed or was stopped. Cancelling the await only stops
    waiting; `cancel` asks the child itself to stop.
    """

    __slots__ = ("_child",)

    def __init__(self, child: PendingChild) -> None:
        self._child = child

    def __repr__(self) -> str:
        return f"<child {self._child.workflow} {self._child.run_id}>"

    @property
    def id(self) -> RunId:
        """The child's run id. It is derived from the parent's, so a replay has the same."""
        return self._child.run_id

    def __await__(self) -> Generator[Any, Any, R]:
        return self._result().__await__()

    def cancel(self) -> None:
        """Ask the child to stop, as `client.cancel` does; no effect on a child that has ended."""
        stop_child(require("cancelling a child"), self._child, call_site(1))

    async def _result(self) -> R:
        execution = require("awaiting a child")
        try:
            data = await asyncio.shield(self._child.future)
        except ChildFailed as error:
            # Another one each time: its traceback has the code that has this handle, which has its error.
            forget_frames(error)
            raise ChildFailed(
                error.run_id, error.type, error.message, error.traceback, cancelled=error.cancelled
            ) from None
        return cast(R, _decoded(execution, self._child, data))


async def call_child(
    execution: Execution,
    workflow: ChildDefinition[R],
    site: Site,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> R:
    """Start a child and return its result; cancelling the caller meanwhile asks the child to stop."""
    child = await _started(execution, workflow, site, args, kwargs, None, ClosePolicy.CASCADE)
    try:
        data = await child.future
    except asyncio.CancelledError:
        abandon_child(execution, child, site)
        raise
    except ChildFailed:
        # Its future has the error, whose traceback has this frame.
        del child
        raise
    return cast(R, _decoded(execution, child, data))


class ConfiguredChild(Generic[P, R]):
    """A workflow whose children are started with options of their own; made by `Workflow.options`."""

    __slots__ = ("_id", "_policy", "_workflow")

    def __init__(
        self, workflow: ChildDefinition[R], id: str | None, policy: ParentClosePolicy | None
    ) -> None:
        _check_options(id, policy)
        self._workflow = workflow
        self._id = id
        self._policy: ParentClosePolicy | None = policy

    def start_child(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, ChildHandle[R]]:
        """Start it as a child, as `Workflow.start_child` does; every keyword goes to the workflow."""
        execution = require("start_child()")
        frame = sys._getframe(1)
        site = frame.f_code, frame.f_lasti
        return begin_child(execution, self._workflow, site, args, kwargs, self._id, self._policy)


async def begin_child(
    execution: Execution,
    workflow: ChildDefinition[R],
    site: Site,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    id: str | None,
    policy: ParentClosePolicy | None,
) -> ChildHandle[R]:
    """Start a child and return its handle at once."""
    _check_options(id, policy)
    return ChildHandle(await _started(execution, workflow, site, args, kwargs, id, _POLICIES[policy]))


def _check_options(id: str | None, policy: ParentClosePolicy | None) -> None:
    if id is not None and not (isinstance(id, str) and 0 < len(id.encode()) <= ID_BYTES):
        raise InvalidOption(f"a child's id is text of 1 to {ID_BYTES} bytes, not {id!r:.100}")
    if policy not in _POLICIES:
        raise InvalidOption(f"parent_close_policy is 'cancel', 'abandon' or None, not {quoted(policy)}")


def check_options_are_clear(
    execution: Execution, workflow: TakesInput, args: tuple[Any, ...], options: Collection[str]
) -> None:
    """Refuse a keyword of `start_child` that could be an option or an argument, except in a replay.

    Code of an earlier release may have used it as an option, and its runs must replay.
    """
    for name in options:
        if workflow.arguments.takes_keyword(name, len(args)) and not execution.log.replaying:
            raise InvalidOption(
                f"{name}= is an option of start_child and a parameter of {workflow.name}; write "
                f"{workflow.name}.options({name}=...).start_child(...) for the option, and "
                f"{workflow.name}.options().start_child(..., {name}=...) for the parameter"
            )


async def _started(
    execution: Execution,
    workflow: TakesInput,
    site: Site,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    id: str | None,
    policy: ClosePolicy,
) -> PendingChild:
    data = encode_input(execution, EventType.CHILD_STARTED, workflow, args, kwargs)
    child = start_child(
        execution, workflow.name, site, data, id=id, close_policy=int(policy), definition=workflow
    )
    if child.seq < 0:
        await child.future  # refused too often: wait instead of letting the code ask again
    return child


def _decoded(execution: Execution, child: PendingChild, data: bytes) -> object:
    try:
        return child.definition.decode_result(data)
    except DurableTermError as error:
        execution.log.unreadable(child.seq, error)
