"""Runs each contract test as a coroutine, on each journal."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal
from continuum.journal.postgres import PostgresJournal


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in the event loop of its journal."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    runner = pyfuncitem.funcargs["runner"]
    assert isinstance(runner, asyncio.Runner)
    wanted = inspect.signature(pyfuncitem.obj).parameters
    runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The loop of one test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=["memory", "postgres"])
def journal(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[Journal]:
    """An open, empty journal."""
    made: Journal = MemoryJournal()
    if request.param == "postgres":
        made = PostgresJournal(request.getfixturevalue("dsn"), schema=request.getfixturevalue("schema"))
    runner.run(made.open())
    yield made
    runner.run(made.close())
