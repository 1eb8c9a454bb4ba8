"""Processes that hang are found, named, killed and replaced; none of them keeps a node from its end."""

import os
import signal
import threading

import pytest

from continuum_supervision.process.events import NodeEnded, ProcessDied, ProcessReady
from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.limits import WATCHER_LATE_AFTER_S
from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.process.watchdog import Watcher
from tests.process.supervision import process_mains
from tests.process.supervision.observing import (
    DEADLINE_S,
    StartNode,
    await_event,
    await_report,
    pid_of,
    pids_of,
    remaining,
)

# A busy machine lets a healthy process wait for less than this.
HUNG_AFTER_S = 2.0
# Enough for a stop in order on a busy machine.
LONG_BUDGET_S = 30.0
# A hung process makes a stop take all of it.
SHORT_BUDGET_S = 6.0


class StopInBackground:
    """A shutdown that a test looks at while it is under way."""

    def __init__(self, node: ProcessSystem, budget: float) -> None:
        self._node = node
        self._thread = threading.Thread(target=node.shutdown, args=(budget,), daemon=True)
        self._thread.start()

    def ended(self) -> NodeEnded:
        """Wait for its end."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the node does not end"
        assert self._node.ended is not None
        return self._node.ended


def watched(process_id: str, **options: object) -> ProcessSpec:
    return ProcessSpec(process_id, process_mains.echo, hung_after=HUNG_AFTER_S, **options)  # type: ignore[arg-type]


def await_successor(node: ProcessSystem, process_id: str) -> None:
    await_event(
        node,
        lambda event: (
            isinstance(event, ProcessReady) and event.process_id == process_id and event.incarnation == 2
        ),
    )


def test_a_stopped_process_is_killed_and_replaced_and_its_sibling_is_left_alone(
    start_node: StartNode, capfd: pytest.CaptureFixture[str]
) -> None:
    node = start_node(watched("control"), watched("host"))
    node.wait_ready(DEADLINE_S)
    victim, sibling = pid_of(node, "control"), pid_of(node, "host")
    os.kill(victim, signal.SIGSTOP)
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert (died.process_id, died.pid, died.exit_code) == ("control", victim, -signal.SIGKILL)
    await_successor(node, "control")
    assert pid_of(node, "host") == sibling
    node.shutdown(LONG_BUDGET_S)
    assert f"process control (pid {victim}) has not answered for" in capfd.readouterr().err


def test_a_process_that_blocks_its_loop_is_replaced(start_node: StartNode) -> None:
    node = start_node(
        ProcessSpec("one", process_mains.blocked_once_then_echo, hung_after=HUNG_AFTER_S),
        ProcessSpec("unwatched", process_mains.hung),
    )
    await_successor(node, "one")
    node.send("one", ("ping", 1))
    await_report(node, ("pong", 1, pid_of(node, "one")))
    assert [process.incarnation for process in node.processes() if process.id == "unwatched"] == [1]


def test_a_process_that_others_need_is_replaced_while_they_drain(start_node: StartNode) -> None:
    node = start_node(watched("control"), ProcessSpec("host", process_mains.draining, drains=True))
    node.wait_ready(DEADLINE_S)
    stopping = StopInBackground(node, LONG_BUDGET_S)
    await_report(node, "draining")
    os.kill(pid_of(node, "control"), signal.SIGSTOP)
    await_successor(node, "control")
    node.send("host", "all is through")
    assert stopping.ended() == NodeEnded(None)


@pytest.mark.parametrize("holder", ["supervisor", "admin", "system"])
def test_a_node_ends_within_its_budget_although_a_process_that_holds_it_hangs(
    start_node: StartNode, holder: str
) -> None:
    node = start_node(ProcessSpec("one", process_mains.echo), watched("two"))
    node.wait_ready(DEADLINE_S)
    pids = pids_of(node)
    os.kill(node.own_pids()[holder], signal.SIGSTOP)
    assert StopInBackground(node, SHORT_BUDGET_S).ended()
    assert not remaining(pids, deadline=DEADLINE_S)
    assert not node.directory.exists()


def test_a_node_whose_root_supervisor_hangs_ends_whole_and_says_why(start_node: StartNode) -> None:
    node = start_node(watched("one"), hung_after=HUNG_AFTER_S)
    node.wait_ready(DEADLINE_S)
    pids, supervisor = pids_of(node), node.own_pids()["supervisor"]
    os.kill(supervisor, signal.SIGSTOP)
    ended = await_event(node, lambda event: isinstance(event, NodeEnded))
    assert ended.hung
    assert f"the root supervisor (pid {supervisor}) has not answered for {HUNG_AFTER_S:g} s" in ended.reason
    assert not remaining(pids, deadline=DEADLINE_S)


def test_a_process_is_replaced_while_the_admin_hangs(start_node: StartNode) -> None:
    node = start_node(watched("one"), watched("two"))
    node.wait_ready(DEADLINE_S)
    os.kill(node.own_pids()["admin"], signal.SIGSTOP)
    os.kill(pid_of(node, "one"), signal.SIGKILL)
    await_successor(node, "one")
    node.send("one", ("send", "two", "hello"))
    await_report(node, ("received", "hello", "one", None))


def test_after_a_pause_of_the_whole_machine_nobody_is_taken_for_hung() -> None:
    watcher = Watcher.awake(0.0)
    watcher.look(1.0)
    assert watcher.silence(0.5) == 0.5
    watcher.look(1.0 + 2 * WATCHER_LATE_AFTER_S)
    assert watcher.silence(0.5) == 0.0
    watcher.look(2.0 + 2 * WATCHER_LATE_AFTER_S)
    assert watcher.silence(0.5) == 1.0
