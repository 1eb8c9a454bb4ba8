"""A database that has grown, made once for all the tests that look at plans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.parked_runs import park_runs
from tests.postgres.grown import RUNS
from tests.postgres_server import migrated_schema


@pytest.fixture(scope="session")
def grown(session_dsn: str) -> Iterator[str]:
    """The schema with many runs, in the first database of the server; nothing in it may be changed."""
    with migrated_schema(session_dsn) as name:
        park_runs(session_dsn, name, RUNS)
        yield name
