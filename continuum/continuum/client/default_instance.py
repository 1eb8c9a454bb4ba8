"""The default instance: `continuum.configure(dsn=...)`, then `continuum.start(...)` from anywhere.

If nothing is configured, the default instance is the one that `continuum.children()` runs in
this process under the default name. Every call looks it up again.

A client belongs to one loop, so each loop that uses these functions opens its own client on
first use. `continuum.disconnect()` closes the client of the running loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, Unpack, overload
from weakref import WeakKeyDictionary

from continuum.client.argument_checks import RunOrId
from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.client import Client
from continuum.client.configured_start import ConfiguredStart
from continuum.client.connecting import connect
from continuum.client.instances import DEFAULT, Instance, Place, configure_default, configured_default, find
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.queries import Condition
from continuum.client.run_handle import RunHandle
from continuum.client.runs import Page, Run
from continuum.client.start_options import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
    StartOptions,
    checked_names,
)
from continuum.client.state_changes import StateChange
from continuum.definitions.attributes import set_own_attributes
from continuum.definitions.effects import call_site, in_workflow
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.errors import DeterminismError, InstanceNotRegistered

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which instance is the default: its configured place, and the instance of that name that runs here."""

    place: Place
    running: Instance | None


@dataclass(slots=True)
class _Connection:
    """The client of one loop, and the choice it was opened for."""

    choice: _Choice
    manager: AbstractAsyncContextManager[Client]
    opening: asyncio.Task[Client]

    async def close(self) -> None:
        await asyncio.wait([self.opening])
        if self.opening.exception() is None:
            await self.manager.__aexit__(None, None, None)


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connection] = WeakKeyDictionary()


def configure(
    dsn: str | None = None, *, name: str = DEFAULT, schema: str | None = None, listen: bool = True
) -> None:
    """Set where the default instance is. The first call that needs it opens the connection.

    With a `name` and no `dsn` it is the instance of that name that runs in this process.
    """
    configure_default(Place(dsn, name, schema, listen))


async def disconnect() -> None:
    """Close the default instance's client of this loop, if one is open; the next call opens another."""
    connection = _connections.pop(asyncio.get_running_loop(), None)
    if connection is not None:
        await connection.close()


def _chosen() -> _Choice:
    configured = configured_default()
    place = configured or Place()
    running = find(place.name) if place.dsn is None else None
    if configured is None and running is None:
        raise InstanceNotRegistered(
            "there is no default instance; call continuum.configure(dsn=...) first, "
            "or run continuum.children() in this process"
        )
    return _Choice(place, running)


async def _client() -> Client:
    choice, loop = _chosen(), asyncio.get_running_loop()
    connection = _connections.get(loop)
    if connection is not None and connection.choice != choice:
        del _connections[loop]
        await connection.close()
        connection = _connections.get(loop)
    if connection is None:
        place = choice.place
        manager = connect(place.dsn, name=place.name, schema=place.schema, listen=place.listen)
        connection = _Connection(choice, manager, asyncio.create_task(_opened(manager)))
        _connections[loop] = connection
    try:
        return await asyncio.shield(connection.opening)
    except Exception:
        # The next call connects again.
        if _connections.get(loop) is connection:
            del _connections[loop]
        raise


async def _opened(manager: AbstractAsyncContextManager[Client]) -> Client:
    return await manager.__aenter__()


@overload
def start(
    workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> Coroutine[Any, Any, RunHandle[R]]: ...
@overload
def start(
    workflow: StartableWithNone[R], /, **options: Unpack[StartOptions]
) -> Coroutine[Any, Any, RunHandle[R]]: ...
@overload
def start(
    workflow: Startable[*Ts, R], /, *args: *Ts, **options: Unpack[StartOptions]
) -> Coroutine[Any, Any, RunHandle[R]]: ...
@overload
def start(
    workflow: StartableWithOne[A, R], argument: A, /, **options: Unpack[StartOptions]
) -> Coroutine[Any, Any, RunHandle[R]]: ...
@overload
def start(
    workflow: StartableWithTwo[A, B, R], first: A, second: B, /, **options: Unpack[StartOptions]
) -> Coroutine[Any, Any, RunHandle[R]]: ...
@overload
def start(workflow: str, /, *args: object, **given: Any) -> Coroutine[Any, Any, RunHandle[Any]]: ...
async def start(workflow: Any, /, *args: Any, **given: Any) -> RunHandle[Any]:  # type: ignore[misc]  # mypy cannot match TypeVarTuple with Any
    """Start a run of the default instance; see `Client.start`."""
    handle: RunHandle[Any] = await (await _client()).start(workflow, *args, **given)
    return handle


def options(**options: Unpack[StartOptions]) -> ConfiguredStart:
    """Return an object whose `start` has these options; see `Client.options`."""
    return ConfiguredStart(_begin, checked_names(options))


async def _begin(
    workflow: Any, args: tuple[Any, ...], keywords: dict[str, Any], options: StartOptions
) -> RunHandle[Any]:
    handle: RunHandle[Any] = await (await _client()).options(**options).start(workflow, *args, **keywords)
    return handle


@overload
async def signal(
    run_id: RunOrId,
    signal: Signal[T],
    value: T,
    *,
    delivery_id: str | None = None,
    namespace: InNamespace = ANY_NAMESPACE,
) -> None: ...
@overload
async def signal(
    run_id: RunOrId,
    signal: str,
    value: object = None,
    *,
    delivery_id: str | None = None,
    namespace: InNamespace = ANY_NAMESPACE,
) -> None: ...
async def signal(
    run_id: RunOrId,
    signal: Signal[Any] | str,
    value: Any = None,
    *,
    delivery_id: str | None = None,
    namespace: InNamespace = ANY_NAMESPACE,
) -> None:
    """Send a signal to a run of the default instance; see `Client.signal`."""
    client = await _client()
    await client.signal(run_id, signal, value, delivery_id=delivery_id, namespace=namespace)


async def cancel(
    run_id: RunOrId, *, force: bool = False, namespace: InNamespace = ANY_NAMESPACE
) -> CancelOutcome:
    """Request that a run of the default instance stops; see `Client.cancel`."""
    return await (await _client()).cancel(run_id, force=force, namespace=namespace)


async def unblock(run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> bool:
    """Let nodes try a blocked run of the default instance again; see `Client.unblock`."""
    return await (await _client()).unblock(run_id, namespace=namespace)


async def await_run(
    run_id: RunOrId,
    timeout: float | timedelta | None = None,
    *,
    namespace: InNamespace = ANY_NAMESPACE,
) -> Any:
    """Return the result of a run of the default instance; see `Client.await_run`."""
    return await (await _client()).await_run(run_id, timeout, namespace=namespace)


async def get_run(run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Run:
    """Return a run of the default instance as it is now; see `Client.get_run`."""
    return await (await _client()).get_run(run_id, namespace=namespace)


async def query(
    where: Iterable[Condition] = (),
    *,
    order_by: tuple[str, str] | str = ("started_at", "desc"),
    limit: int = 25,
    cursor: str | None = None,
    namespace: str | None = "default",
    payloads: bool = True,
    find: str | None = None,
    look_at: int | None = None,
) -> Page:
    """Return a page of runs of the default instance; see `Client.query`."""
    client = await _client()
    return await client.query(
        where,
        order_by=order_by,
        limit=limit,
        cursor=cursor,
        namespace=namespace,
        payloads=payloads,
        find=find,
        look_at=look_at,
    )


async def events(
    *,
    cursor: str | None = None,
    workflow: Workflow[..., Any] | str | None = None,
    namespace: InNamespace = ANY_NAMESPACE,
) -> AsyncGenerator[StateChange, None]:
    """Yield every change of the states of runs of the default instance; see `Client.events`."""
    found = (await _client()).events(cursor=cursor, workflow=workflow, namespace=namespace)
    async with aclosing(found) as changes:
        async for change in changes:
            yield change


@overload
def set_attributes(attributes: Mapping[str, Any], /) -> None: ...
@overload
def set_attributes(
    run_id: RunOrId, attributes: Mapping[str, Any], *, namespace: InNamespace = ANY_NAMESPACE
) -> Coroutine[Any, Any, None]: ...
def set_attributes(
    run_id: Any, attributes: Mapping[str, Any] | None = None, *, namespace: InNamespace = ANY_NAMESPACE
) -> Coroutine[Any, Any, None] | None:
    """Merge attributes into those of a run of the default instance; in a workflow, into those of its own run.

    A workflow writes `continuum.set_attributes({"step": "paid"})`, without an id and without `await`. The
    attributes become visible with the commit of the step. The values given replace those of the same names,
    and all others stay. Children get the attributes that their parent has when they start, and a run that
    continues as new passes its own on.
    """
    if attributes is None:
        set_own_attributes(run_id, call_site(1))
        return None
    if in_workflow():
        raise DeterminismError(
            "a workflow sets the attributes of its own run, continuum.set_attributes({...}); "
            "do it in an activity for another run"
        )
    return _set_attributes(run_id, attributes, namespace)


async def _set_attributes(run_id: RunOrId, attributes: Mapping[str, Any], namespace: InNamespace) -> None:
    await (await _client()).set_attributes(run_id, attributes, namespace=namespace)
