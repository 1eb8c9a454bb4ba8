"""If a process that holds a node together is killed, the whole node ends and no process is orphaned."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from continuum_supervision.process.events import NodeEnded
from continuum_supervision.process.spec import ProcessSpec
from tests.process.supervision import process_mains
from tests.process.supervision.observing import DEADLINE_S, StartNode, await_event, pids_of, remaining


@pytest.mark.parametrize("holder", ["supervisor", "admin", "system"])
def test_the_whole_node_ends_when_a_process_that_holds_it_is_killed(
    start_node: StartNode, holder: str
) -> None:
    node = start_node(ProcessSpec("one", process_mains.echo), ProcessSpec("hung", process_mains.hung))
    node.wait_ready(DEADLINE_S)
    pids = pids_of(node)
    assert len(pids) == 5
    os.kill(node.own_pids()[holder], signal.SIGKILL)
    assert not remaining(pids, deadline=DEADLINE_S)
    ended = await_event(node, lambda event: isinstance(event, NodeEnded))
    assert ended.reason == "the node was killed"
    assert not node.directory.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_whole_node_ends_when_its_launcher_is_killed(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "tests.process.supervision.launching"],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    with launcher:
        assert launcher.stdout is not None
        directory, *pids = json.loads(launcher.stdout.readline())
        try:
            launcher.send_signal(number)
            assert not remaining(pids, deadline=DEADLINE_S)
        finally:
            for pid in remaining(pids, deadline=0):
                os.kill(pid, signal.SIGKILL)
    assert not Path(directory).exists()
