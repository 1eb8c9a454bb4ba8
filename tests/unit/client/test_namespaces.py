"""Namespaces: queries see one of them, and calls that name a run by its id are guarded by it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

import continuum
from continuum import Client, CutRefused, RunHandle, RunNotFound, SyncClient, SyncRunHandle
from continuum.client.instances import Instance, MemoryPlace, registered
from continuum.client.loop_thread import LoopThread
from continuum.client.namespaces import ANY_NAMESPACE
from continuum.journal.memory.journal import MemoryJournal
from continuum.testing import Environment, PostgresEnvironment
from tests.unit.client.test_client import mail
from tests.unit.client.working import Ending, greeting, memory_client

# The arguments of each call after the id of its run.
ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "await_run": (0,),
    "cancel": (),
    "cut": ("restart",),
    "explain": (),
    "fork": (0,),
    "get_run": (),
    "handle": (),
    "history": (),
    "owner": (),
    "pause_run": (),
    "read": ("progress",),
    "reset": (0,),
    "restart": (),
    "resume_run": (),
    "set_attributes": ({"a": 1},),
    "signal": ("review", 1),
    "unblock": (),
    "watch": ("progress",),
}
HANDLE_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "cancel": (),
    "explain": (),
    "fork": (0,),
    "get": (),
    "history": (),
    "owner": (),
    "pause": (),
    "read": ("progress",),
    "reset": (0,),
    "restart": (),
    "result": (0,),
    "resume": (),
    "set_attributes": ({"a": 1},),
    "signal": ("review", 1),
    "state": (),
    "unblock": (),
    "watch": ("progress",),
}
# It awaits a run that this client has started itself.
UNGUARDED = frozenset({"await_started"})

Owner = type | ModuleType
OWNERS: list[Owner] = [Client, SyncClient, Environment, PostgresEnvironment, continuum]


def public_callables(owner: Owner) -> dict[str, Callable[..., Any]]:
    """Return the public methods of a class, or the public functions of a module."""
    names = owner.__all__ if isinstance(owner, ModuleType) else vars(owner) | dict.fromkeys(dir(owner))
    found = {name: getattr(owner, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


def naming_a_run(owner: Owner) -> dict[str, inspect.Signature]:
    """Return the signatures of those callables that take the id of a run."""
    signatures = {name: inspect.signature(value) for name, value in public_callables(owner).items()}
    return {
        name: signature
        for name, signature in signatures.items()
        if not {"run", "run_id"}.isdisjoint(signature.parameters) and name not in UNGUARDED
    }


GUARDED = [(owner, name) for owner in OWNERS for name in sorted(naming_a_run(owner))]


@pytest.mark.parametrize(("owner", "name"), GUARDED, ids=lambda part: getattr(part, "__name__", part))
def test_every_public_call_that_names_a_run_takes_a_namespace(owner: Owner, name: str) -> None:
    parameter = naming_a_run(owner)[name].parameters.get("namespace")
    assert parameter is not None, f"{owner.__name__}.{name} names a run and has no namespace="
    assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, ANY_NAMESPACE)


def test_the_calls_that_are_tried_here_are_all_there_are() -> None:
    """A new call that names a run needs a row in `ARGUMENTS`, one of a handle a row in `HANDLE_ARGUMENTS`."""
    assert {name for _, name in GUARDED} == set(ARGUMENTS)
    assert set(naming_a_run(Client)) == set(naming_a_run(SyncClient)) == set(ARGUMENTS)
    for handle in (RunHandle, SyncRunHandle):
        assert set(public_callables(handle)) == set(HANDLE_ARGUMENTS)


async def finished(call: Callable[[], Any]) -> Any:
    """Make a call and await it; read the first value of an iterator, or the run of a handle."""
    result = call()
    if inspect.isasyncgen(result):
        return await anext(result)
    if isinstance(result, RunHandle):
        return await result.get()
    return await result


def finished_blocking(call: Callable[[], Any]) -> Any:
    """Do the same with a call that blocks."""
    result = call()
    if isinstance(result, SyncRunHandle):
        return result.get()
    return next(result) if isinstance(result, Iterator) else result


@dataclass(frozen=True, slots=True)
class Surface:
    """The calls under test, and a client and a worker on the same journal, used through `run`."""

    calls: Any
    client: Client
    ending: Ending
    run: Callable[[Coroutine[Any, Any, Any]], Any]

    def finish(self, call: Callable[[], Any]) -> Any:
        """Make a call and return its result."""
        if isinstance(self.calls, SyncClient):
            return finished_blocking(call)
        return self.run(finished(call))

    def start(self) -> str:
        """Start a run in the namespace "eu", and have it publish a value."""
        run_id: str = self.run(self.client.start(greeting, "ann", namespace="eu")).id
        self.run(self.ending.publish(run_id, progress=1))
        return run_id

    def call(self, name: str, run_id: str, namespace: Any) -> Any:
        """Make the call of this name."""
        method = getattr(self.calls, name)
        # A restart finds the run, and that it has not failed.
        with suppress(CutRefused):
            return self.finish(lambda: method(run_id, *ARGUMENTS[name], namespace=namespace))


async def opened() -> tuple[Client, MemoryJournal]:
    journal = MemoryJournal()
    await journal.open()
    return Client(journal), journal


@contextmanager
def surface(kind: str) -> Iterator[Surface]:
    """Open a client on a new journal in memory, and yield what has its calls."""
    if kind == "SyncClient":
        thread = LoopThread()
        try:
            client, journal = thread.call(opened())
            yield Surface(SyncClient(thread, client), client, Ending(journal), thread.call)
            thread.call(client.close())
        finally:
            thread.stop()
        return
    with asyncio.Runner() as runner:
        client, journal = runner.run(opened())
        place = MemoryPlace(journal, runner.get_loop())
        with registered(Instance("default", place)):
            calls = client if kind == "Client" else continuum
            yield Surface(calls, client, Ending(journal), runner.run)
            runner.run(continuum.disconnect())
        runner.run(client.close())


CALLS = [
    *(("Client", name) for name in ARGUMENTS),
    *(("SyncClient", name) for name in ARGUMENTS),
    *(("continuum", name) for name in naming_a_run(continuum)),
]
CALLS_OF_HANDLES = [(kind, name) for kind in ("Client", "SyncClient") for name in HANDLE_ARGUMENTS]


@contextmanager
def refusing(here: Surface, run_id: str) -> Iterator[None]:
    """Expect that a call finds no run in the namespace "us", and that it changes nothing."""
    before = here.run(here.client.get_run(run_id))
    with pytest.raises(RunNotFound, match=f"no run has the id {run_id} in namespace 'us'") as refused:
        yield
    assert (refused.value.run_id, refused.value.namespace) == (run_id, "us")
    assert here.run(here.client.get_run(run_id)) == before
    assert here.run(mail(here.ending)) == []


@pytest.mark.parametrize(("kind", "name"), CALLS)
def test_a_call_refuses_a_run_of_another_namespace(kind: str, name: str) -> None:
    """NSP1, NSP3: nothing is changed."""
    with surface(kind) as here:
        run_id = here.start()
        with refusing(here, run_id):
            here.call(name, run_id, "us")


def test_a_forced_cancel_refuses_a_run_of_another_namespace() -> None:
    """NSP1."""
    with surface("Client") as here:
        run_id = here.start()
        with refusing(here, run_id):
            here.run(here.client.cancel(run_id, force=True, namespace="us"))


@pytest.mark.parametrize(("kind", "name"), CALLS_OF_HANDLES)
def test_a_handle_refuses_a_run_of_another_namespace(kind: str, name: str) -> None:
    """NSP1."""
    with surface(kind) as here:
        run_id = here.start()
        with refusing(here, run_id):
            handle = here.calls.handle(run_id, greeting, namespace="us")
            here.finish(lambda: getattr(handle, name)(*HANDLE_ARGUMENTS[name]))


def test_the_handle_of_an_id_that_another_namespace_has_taken_is_guarded() -> None:
    """NSP1: an id is chosen by the caller, and may be the id of another tenant's run."""
    with surface("Client") as here:
        run_id = here.start()
        handle = here.run(here.client.start(greeting, "bob", id=run_id, namespace="us"))
        assert handle.existing
        with refusing(here, run_id):
            here.run(handle.get())


@pytest.mark.parametrize("namespace", ["eu", ANY_NAMESPACE])
@pytest.mark.parametrize(("kind", "name"), [call for call in CALLS if call[1] != "await_run"])
def test_a_call_finds_a_run_of_its_own_namespace_or_without_a_guard(
    kind: str, name: str, namespace: Any
) -> None:
    """NSP1, NSP2, NSC3."""
    with surface(kind) as here:
        here.call(name, here.start(), namespace)


def test_await_run_returns_the_result_of_a_run_of_its_namespace() -> None:
    """NSP3."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann", namespace="eu")
            latest = await ending.continue_as_new(run.id)
            await ending.complete(latest, "hello")
            assert await client.await_run(run.id, 0, namespace="eu") == "hello"
            assert await client.await_run(latest, 0, namespace="eu") == "hello"

    asyncio.run(main())


@pytest.mark.parametrize("namespace", [None, 5, "", "a\0", "n" * 256])
@pytest.mark.parametrize(("kind", "name"), [call for call in CALLS if call[0] == "Client"])
def test_an_invalid_namespace_is_refused(kind: str, name: str, namespace: Any) -> None:
    """NSP4: None is the result of looking up an unknown tenant."""
    with surface(kind) as here:
        run_id = here.start()
        with pytest.raises(continuum.InvalidOption, match="namespace"):
            here.call(name, run_id, namespace)
        assert here.run(mail(here.ending)) == []


def test_queries_see_one_namespace_and_by_default_the_default_one() -> None:
    """NSC1, NSC2."""

    async def main() -> None:
        async with memory_client() as (client, _):
            here = await client.start(greeting, "ann", attributes={"vip": True})
            there = await client.start(greeting, "bob", namespace="eu", attributes={"vip": True})

            async def found(**options: Any) -> set[str]:
                page = await client.query([(("attributes", "vip"), "eq", True)], **options)
                return {run.id for run in page.entries}

            assert await found() == {here.id}
            assert await found(namespace="eu") == {there.id}
            assert await found(namespace=None) == {here.id, there.id}
            stored = await there.get()
            assert (stored.namespace, stored.attributes) == ("eu", {"vip": True})

    asyncio.run(main())


def test_attributes_set_by_a_client_are_found_and_leave_no_event() -> None:
    """ATR1, ATR2, ATR3."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            await asyncio.gather(run.set_attributes({"a": 1}), client.set_attributes(run.id, {"b": 2}))
            page = await client.query([(("attributes", "a"), "eq", 1), (("attributes", "b"), "eq", 2)])
            assert [found.id for found in page.entries] == [run.id]
            assert await run.history() == []
            with pytest.raises(continuum.RunNotFound):
                await client.set_attributes("00000000-0000-0000-0000-000000000000", {"a": 1})

    asyncio.run(main())
