"""A system process that is started before the plan of its node is known."""

import os
from importlib import import_module
from pathlib import Path

import pytest

from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.process.system_start import SystemStart
from tests.process.supervision import process_mains
from tests.process.supervision.observing import DEADLINE_S, StartNode


def test_a_node_runs_on_a_system_process_that_was_started_before(start_node: StartNode) -> None:
    ahead = SystemStart()
    running = start_node(ProcessSpec("one", process_mains.echo), system=ahead)
    running.wait_ready(DEADLINE_S)
    assert running.own_pids()["system"] == ahead.process.pid


def test_the_processes_import_from_where_the_launcher_does_when_it_sends_the_plan(
    start_node: StartNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = SystemStart()
    (tmp_path / "found_later.py").write_text(
        "async def main(context):\n    context.ready()\n    await context.shutdown_requested.wait()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    later = ProcessSpec("one", import_module("found_later").main)
    start_node(later, system=ahead).wait_ready(DEADLINE_S)


def test_a_system_process_without_a_plan_ends_with_its_block() -> None:
    with pytest.raises(ValueError, match="the check failed"), SystemStart() as ahead:
        raise ValueError("the check failed")
    assert ahead.process.poll() is not None


def test_a_system_process_ends_in_silence_if_its_launcher_does(capfd: pytest.CaptureFixture[str]) -> None:
    ahead = SystemStart()
    ahead.control.close()
    os.close(ahead.life)
    assert ahead.process.wait(DEADLINE_S) == 1
    assert capfd.readouterr().err == ""
