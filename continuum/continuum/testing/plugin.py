"""The pytest plugin: the fixtures `continuum_env`, `continuum_pg_env` and `golden_history`.

It runs async tests that use an environment, unless another plugin does (pytest-asyncio, anyio), each
in a loop of its own. In both cases the environment is opened and closed inside the loop of the
test. The engine is imported on first use only.
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
# Another plugin runs tests with one of these marks.
OTHER_RUNNERS = ("asyncio", "anyio", "trio")
MARKER = "continuum(paranoid=, now=, seed=, workflows=, patience=): options of the fixture continuum_env"
DSN_VARIABLE = "CONTINUUM_TEST_DSN"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line options and the ini option."""
    group = parser.getgroup("continuum")
    group.addoption(
        "--update-golden",
        action="store_true",
        help="write the histories that tests keep with golden_history again",
    )
    parser.addini(
        "continuum_paranoid", "replay every run after each of its writes", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker, and turn the paranoid mode on if the ini file does."""
    config.addinivalue_line("markers", MARKER)
    if config.getini("continuum_paranoid"):
        from continuum.testing import replay_after_each_write

        replay_after_each_write.turn_on()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo `pytest_configure`, because another session may follow in this process."""
    if config.getini("continuum_paranoid"):
        from continuum.testing import replay_after_each_write

        replay_after_each_write.turn_off()


@pytest.fixture
def continuum_env(request: pytest.FixtureRequest) -> Environment:
    """An environment with a journal in memory and a virtual clock: see `continuum.testing.env`."""
    from continuum.testing import env

    marker = request.node.get_closest_marker("continuum")
    return env(**({} if marker is None else marker.kwargs))


@pytest.fixture(scope="session")
def continuum_pg_dsn() -> Iterator[str]:
    """The DSN of a temporary Postgres, or CONTINUUM_TEST_DSN; override this fixture to use another."""
    given = os.environ.get(DSN_VARIABLE)
    if given:
        yield given
        return
    from continuum.local_postgres import EmbeddedPostgres

    with EmbeddedPostgres.temporary() as server:
        yield server.dsn


@pytest.fixture
def continuum_pg_env(request: pytest.FixtureRequest, continuum_pg_dsn: str) -> PostgresEnvironment:
    """An environment on Postgres, in a schema of its own and in real time."""
    from continuum.testing import postgres_env

    marker = request.node.get_closest_marker("continuum")
    return postgres_env(
        continuum_pg_dsn, workflows=() if marker is None else marker.kwargs.get("workflows", ())
    )


@pytest.fixture
def golden_history(request: pytest.FixtureRequest) -> GoldenHistory:
    """Compare a history with the one kept in the directory `golden` next to the test."""
    from continuum.testing import GoldenHistory

    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    directory = request.path.parent / "golden" / request.path.stem
    return GoldenHistory(directory, name, update=bool(request.config.getoption("--update-golden")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Open the environments of an async test while it runs, whichever plugin runs it."""
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
    """Run an async test that uses an environment and that no other plugin runs."""
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
