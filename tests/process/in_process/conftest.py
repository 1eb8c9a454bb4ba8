"""Runs each coroutine test of this directory in a loop of its own; ports that nobody listens at."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from continuum.client.instances import configure_default
from tests.process.actors.conftest import pytest_pyfunc_call

__all__ = ["nothing_is_configured", "pytest_pyfunc_call", "unused_port"]


@pytest.fixture(autouse=True)
def nothing_is_configured() -> Iterator[None]:
    """Forget what an earlier test has configured, or this one."""
    configure_default(None)
    yield
    configure_default(None)


@pytest.fixture
def unused_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
