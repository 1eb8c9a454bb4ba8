"""Processes under the root supervisor: restarts, notices, intensity, orderly ends. Real kills."""

import os
import signal
import threading

import pytest

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.events import NodeEnded, ProcessDied, ProcessReady, ProcessStarted, Report
from continuum_supervision.process.spec import ProcessSpec
from tests.process.supervision import process_mains
from tests.process.supervision.observing import (
    StartNode,
    await_event,
    await_notice,
    await_report,
    pid_of,
    pids_of,
    remaining,
)


def echo(process_id: str, **options: object) -> ProcessSpec:
    return ProcessSpec(process_id, process_mains.echo, **options)  # type: ignore[arg-type]


def test_processes_are_started_in_order_and_become_ready(start_node: StartNode) -> None:
    node = start_node(echo("control"), echo("one"), echo("two"))
    node.wait_ready(20)
    assert [process.id for process in node.processes()] == ["control", "one", "two"]


def test_siblings_and_the_launcher_exchange_messages(start_node: StartNode) -> None:
    node = start_node(echo("one"), echo("two"))
    node.send("one", ("send", "two", "hello"))
    await_report(node, ("heard", "hello", "one", None))
    node.send("two", "from outside")
    await_report(node, ("heard", "from outside", None, None))


def test_a_flood_of_messages_arrives_whole_and_in_order(start_node: StartNode) -> None:
    node = start_node(echo("one"), echo("two"))
    for number in range(3_000):
        node.send("one", ("send", "two", number))
    heard = [await_event(node, lambda e: isinstance(e, Report)).message[1] for _ in range(3_000)]
    assert heard == list(range(3_000))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_process_is_started_again_and_a_watcher_is_told(
    start_node: StartNode, number: signal.Signals
) -> None:
    node = start_node(echo("control", watches_siblings=True), echo("one"), echo("two"))
    node.wait_ready(20)
    untouched = pid_of(node, "two"), pid_of(node, "control")
    killed = pid_of(node, "one")
    os.kill(killed, number)
    died = await_notice(node, "control", ProcessDied)
    assert (died.process_id, died.incarnation, died.pid, died.exit_code) == ("one", 1, killed, -number)
    started = await_notice(node, "control", ProcessStarted, incarnation=2)
    assert started.process_id == "one"
    assert started.pid == pid_of(node, "one") != killed
    assert (pid_of(node, "two"), pid_of(node, "control")) == untouched


def test_a_main_that_raises_is_a_death(start_node: StartNode) -> None:
    node = start_node(ProcessSpec("one", process_mains.raising, max_restarts=0))
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert died.exit_code == 1


def test_a_sigterm_to_a_process_is_left_to_the_launcher(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    node.wait_ready(20)
    os.kill(pid_of(node, "one"), signal.SIGTERM)
    node.send("one", ("ping", 1))
    await_report(node, ("pong", 1, pid_of(node, "one")))


def test_a_notice_survives_the_death_of_the_watcher(start_node: StartNode) -> None:
    node = start_node(
        ProcessSpec("control", process_mains.deaf_once_then_echo, watches_siblings=True), echo("one")
    )
    node.wait_ready(20)
    os.kill(pid_of(node, "one"), signal.SIGKILL)
    await_event(
        node,
        lambda event: (
            isinstance(event, ProcessReady) and event.process_id == "one" and event.incarnation == 2
        ),
    )
    os.kill(pid_of(node, "control"), signal.SIGKILL)
    died = await_notice(node, "control", ProcessDied, process_id="one", incarnation=1)
    assert died.exit_code == -signal.SIGKILL


def test_messages_wait_for_a_process_that_is_down(start_node: StartNode) -> None:
    node = start_node(echo("one"), echo("two"))
    node.wait_ready(20)
    os.kill(pid_of(node, "two"), signal.SIGKILL)
    await_event(node, lambda event: isinstance(event, ProcessDied))
    node.send("one", ("send", "two", "kept"))
    await_report(node, ("heard", "kept", "one", None))


def test_a_process_can_have_a_sibling_killed_but_not_its_successor(start_node: StartNode) -> None:
    node = start_node(echo("watchdog"), ProcessSpec("stuck", process_mains.hung))
    node.wait_ready(20)
    node.send("watchdog", ("kill", "stuck", 1))
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert (died.process_id, died.exit_code) == ("stuck", -signal.SIGKILL)
    await_event(node, lambda event: isinstance(event, ProcessReady) and event.incarnation == 2)
    successor = pid_of(node, "stuck")
    node.send("watchdog", ("kill", "stuck", 1))
    node.send("watchdog", ("ping", 1))
    await_report(node, ("pong", 1, pid_of(node, "watchdog")))
    assert pid_of(node, "stuck") == successor


def test_dying_too_often_ends_the_node_and_says_so(start_node: StartNode) -> None:
    node = start_node(
        echo("calm"), ProcessSpec("sick", process_mains.crashing, max_restarts=2, max_restarts_within=60)
    )
    ended = await_event(node, lambda event: isinstance(event, NodeEnded))
    assert "process sick died 3 times within 60 s" in ended.reason
    assert not node.alive


def test_an_orderly_shutdown_goes_in_reverse_order(start_node: StartNode) -> None:
    node = start_node(echo("first"), echo("second"), echo("third"))
    node.wait_ready(20)
    pids = pids_of(node)
    assert node.shutdown(10) == NodeEnded(None)
    told = [event for event in node.messages() if isinstance(event, Report | ProcessDied)]
    said = [(type(event).__name__, event.process_id) for event in told]
    assert said == [
        (kind, name) for name in ("third", "second", "first") for kind in ("Report", "ProcessDied")
    ]
    assert not remaining(pids, deadline=5)


def test_a_process_that_outlives_its_budget_is_killed(start_node: StartNode) -> None:
    node = start_node(echo("polite"), ProcessSpec("deaf", process_mains.deaf, shutdown_budget=0.2))
    node.wait_ready(20)
    node.shutdown()
    exits = {event.process_id: event.exit_code for event in node.messages() if isinstance(event, ProcessDied)}
    assert exits == {"deaf": -signal.SIGKILL, "polite": 0}


def test_all_processes_are_told_at_once_to_drain(start_node: StartNode) -> None:
    one, two = (ProcessSpec(name, process_mains.draining, drains=True) for name in ("one", "two"))
    node = start_node(echo("keeper"), one, two)
    node.wait_ready(20)
    stopping = threading.Thread(target=node.shutdown)
    stopping.start()
    # Neither ends before both have been told.
    heard = {await_report(node, "draining").process_id for _ in range(2)}
    for name in heard:
        node.send(name, "all are through")
    stopping.join()
    assert heard == {"one", "two"}
    left = [event for event in node.messages() if isinstance(event, Report | ProcessDied)]
    assert [(type(event).__name__, event.process_id) for event in left[2:]] == [
        ("Report", "keeper"),
        ("ProcessDied", "keeper"),
    ]


def test_the_budget_of_who_drains_counts_for_all_of_them_together(start_node: StartNode) -> None:
    names = [f"deaf-{number}" for number in range(4)]
    deaf = [ProcessSpec(name, process_mains.deaf, drains=True, shutdown_budget=0.5) for name in names]
    # One after the other they would take longer than the node has, and the keeper would be killed.
    node = start_node(echo("keeper"), *deaf)
    node.wait_ready(20)
    node.shutdown(1.9)
    exits = {event.process_id: event.exit_code for event in node.messages() if isinstance(event, ProcessDied)}
    assert exits == {"keeper": 0} | dict.fromkeys(names, -signal.SIGKILL)


def test_the_nodes_directory_goes_with_the_node(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    assert node.directory.stat().st_mode & 0o777 == 0o700
    node.shutdown(5)
    assert not node.directory.exists()


def test_shutting_down_twice_is_shutting_down_once(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    assert node.shutdown(5) == node.shutdown(5) == NodeEnded(None)


def test_a_main_that_cannot_be_imported_is_refused_before_anything_starts() -> None:
    async def local(_context: object) -> None: ...

    with pytest.raises(ProcessSystemError, match="module-level function"):
        ProcessSpec("one", local)


def test_what_was_executing_when_a_process_was_killed_is_told_with_its_death(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    node.send("one", ("execute", b"0123456789abcdef"))
    await_report(node, "executing")
    os.kill(pid_of(node, "one"), signal.SIGKILL)
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert (died.last.executing, died.last.worker_id) == (b"0123456789abcdef", 7)
