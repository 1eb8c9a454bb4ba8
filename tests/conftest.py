"""Fixtures for the whole suite; see `tests/postgres_server.py`."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from continuum_supervision.process.directory import remove_dead_directories
from tests.postgres_server import Template, copied_database, migrated_template, session_server, unused_schema

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For who must not be surprised: the same examples each time.
settings.register_profile("repeatable", settings.get_profile("suite"), derandomize=True)
settings.load_profile("suite")

# A shell has what it runs in the background ignore interrupts, and processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what stays to the end out of later collections of cycles: each would take a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_node_leaves_a_directory() -> Iterator[None]:
    """Remove the directories of the nodes that tests have killed whole."""
    yield
    remove_dead_directories()


@pytest.fixture(scope="session")
def session_dsn() -> Iterator[str]:
    """The session's Postgres server."""
    with session_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def template(session_dsn: str) -> Iterator[Template]:
    """A database with every migration applied, to be copied."""
    with migrated_template(session_dsn) as made:
        yield made


@pytest.fixture
def dsn(session_dsn: str, template: Template) -> Iterator[str]:
    """A database of the test's own, with a fresh schema."""
    with copied_database(session_dsn, template) as dsn:
        yield dsn


@pytest.fixture
def schema(dsn: str, template: Template) -> str:
    """The schema in that database; every migration is applied."""
    return template.schema


@pytest.fixture
def empty_name(dsn: str) -> Iterator[str]:
    """A name for a schema that does not exist yet."""
    with unused_schema(dsn) as name:
        yield name
