"""Nodes for the tests, and a check that none of their processes is left behind."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from continuum_supervision.process.launcher import ProcessSystem
from tests.process.supervision.observing import DEADLINE_S, StartNode, pids_of, remaining


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Start nodes and end them after the test."""
    started: list[tuple[ProcessSystem, set[int]]] = []

    def start(*specs: Any, node: str = "one", **options: Any) -> ProcessSystem:
        running = ProcessSystem.start(specs, node=node, **options)
        started.append((running, pids_of(running)))
        return running

    yield start
    seen = set[int]()
    for running, pids in started:
        seen |= pids | pids_of(running)
        running.kill()
    for pid in remaining(seen, deadline=DEADLINE_S):
        os.kill(pid, signal.SIGKILL)
        pytest.fail(f"process {pid} was left behind")
