"""What pytest loads: the fixtures `continuum_env`, `continuum_pg_env` and `golden_history`.

Async tests that use an environment, and that no other plugin runs (pytest-asyncio, anyio),
are run here, each in a loop of its own. Whoever runs them, the environment is opened
and closed inside the test's own loop. Nothing of the engine is imported before it is used.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from continuum.testing import Environment, GoldenHistory, PostgresEnvironment

ENVIRONMENTS = ("continuum_env", "continuum_pg_env")
# Who has one of these marks runs in a loop of somebody else's.
OTHER_RUNNERS = ("asyncio", "anyio", "trio")
MARKER = "continuum(paranoid=, now=, seed=, workflows=, patience=): what continuum_env is to be like"
DSN_VARIABLE = "CONTINUUM_TEST_DSN"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("continuum")
    group.addoption(
        "--update-golden",
        action="store_true",
        help="write the histories that tests keep with golden_history anew",
    )
    parser.addini(
        "continuum_paranoid", "replay every run after each of its writes", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add our marker, and be paranoid if the ini file says so."""
    config.addinivalue_line("markers", MARKER)
    if config.getini("continuum_paranoid"):
        from continuum.testing import replay_after_each_write

        replay_after_each_write.turn_on()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind for another session in this process."""
    if config.getini("continuum_paranoid"):
        from continuum.testing import replay_after_each_write

        replay_after_each_write.turn_off()


@pytest.fixture
def continuum_env(request: pytest.FixtureRequest) -> Environment:
    """An in-memory journal, a clock that the test moves, and an engine: see `continuum.testing.env`."""
    from continuum.testing import env

    marker = request.node.get_closest_marker("continuum")
    return env(**({} if marker is None else marker.kwargs))


@pytest.fixture(scope="session")
def continuum_pg_dsn() -> Iterator[str]:
    """A Postgres of the session's own, or the one that CONTINUUM_TEST_DSN names; override it for another."""
    given = os.environ.get(DSN_VARIABLE)
    if given:
        yield given
        return
    from continuum.local_postgres import EmbeddedPostgres

    with EmbeddedPostgres.temporary() as server:
        yield server.dsn


@pytest.fixture
def continuum_pg_env(request: pytest.FixtureRequest, continuum_pg_dsn: str) -> PostgresEnvironment:
    """The same on Postgres, in a schema of the test's own and in real time."""
    from continuum.testing import postgres_env

    marker = request.node.get_closest_marker("continuum")
    return postgres_env(
        continuum_pg_dsn, workflows=() if marker is None else marker.kwargs.get("workflows", ())
    )


@pytest.fixture
def golden_history(request: pytest.FixtureRequest) -> GoldenHistory:
    """Compare a history with the one kept in the directory `golden` beside the test."""
    from continuum.testing import GoldenHistory

    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    directory = request.path.parent / "golden" / request.path.stem
    return GoldenHistory(directory, name, update=bool(request.config.getoption("--update-golden")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Have an async test's environments open while it runs, whoever runs it."""
    if not isinstance(item, pytest.Function) or not _uses_environment(item):
        return
    test = item.obj
    if not inspect.iscoroutinefunction(test):
        if not getattr(test, "continuum_opens", False):
            pytest.fail(
                f"{item.name} uses an environment of Continuum: make it an `async def`", pytrace=False
            )
    elif not getattr(test, "continuum_opens", False):
        item.obj = _opened(test)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test of ours that nobody else would."""
    test = pyfuncitem.obj
    ours = _uses_environment(pyfuncitem) or getattr(test, "continuum_crashes", False)
    if not ours or not inspect.iscoroutinefunction(test) or _has_another_runner(pyfuncitem):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(test(**arguments))
    return True


def _uses_environment(item: pytest.Function) -> bool:
    return any(name in item.fixturenames for name in ENVIRONMENTS)


def _has_another_runner(item: pytest.Function) -> bool:
    marked = any(item.get_closest_marker(name) is not None for name in OTHER_RUNNERS)
    return marked or "anyio_backend" in item.fixturenames


def _opened(test: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(test)
    async def opened(*args: Any, **kwargs: Any) -> None:
        async with AsyncExitStack() as environments:
            for name in ENVIRONMENTS:
                if name in kwargs:
                    await environments.enter_async_context(kwargs[name])
            await test(*args, **kwargs)

    opened.continuum_opens = True  # type: ignore[attr-defined]
    return opened
