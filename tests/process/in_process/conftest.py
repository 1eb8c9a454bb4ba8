"""Runs each coroutine test of this directory in a loop of its own, without a default instance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from continuum.client.instances import configure_default
from tests.process.actors.conftest import pytest_pyfunc_call
from tests.process.supervision.observing import free_port

__all__ = ["no_default_instance", "pytest_pyfunc_call", "unused_port"]


@pytest.fixture(autouse=True)
def no_default_instance() -> Iterator[None]:
    """Remove the default instance that an earlier test, or this one, has configured."""
    configure_default(None)
    yield
    configure_default(None)


@pytest.fixture
def unused_port() -> int:
    """Return a loopback port that nobody uses."""
    return free_port()
