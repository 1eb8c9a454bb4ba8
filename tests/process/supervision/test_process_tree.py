"""Processes under the root supervisor: restarts, notices, too many deaths, orderly ends. Real kills."""

import os
import signal
import threading

import pytest

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.events import NodeEnded, ProcessDied, ProcessReady, ProcessStarted, Report
from continuum_supervision.process.spec import ProcessSpec
from tests.process.supervision import process_mains
from tests.process.supervision.observing import (
    DEADLINE_S,
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
    node.wait_ready(DEADLINE_S)
    assert [process.id for process in node.processes()] == ["control", "one", "two"]


def test_siblings_and_the_launcher_exchange_messages(start_node: StartNode) -> None:
    node = start_node(echo("one"), echo("two"))
    node.send("one", ("send", "two", "hello"))
    await_report(node, ("received", "hello", "one", None))
    node.send("two", "from outside")
    await_report(node, ("received", "from outside", None, None))


def test_a_flood_of_messages_arrives_whole_and_in_order(start_node: StartNode) -> None:
    node = start_node(echo("one"), echo("two"))
    for number in range(3_000):
        node.send("one", ("send", "two", number))
    received = [await_event(node, lambda e: isinstance(e, Report)).message[1] for _ in range(3_000)]
    assert received == list(range(3_000))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_process_is_restarted_and_a_watcher_is_notified(
    start_node: StartNode, number: signal.Signals
) -> None:
    node = start_node(echo("control", watches_siblings=True), echo("one"), echo("two"))
    node.wait_ready(DEADLINE_S)
    untouched = pid_of(node, "two"), pid_of(node, "control")
    killed = pid_of(node, "one")
    os.kill(killed, number)
    died = await_notice(node, "control", ProcessDied)
    assert (died.process_id, died.incarnation, died.pid, died.exit_code) == ("one", 1, killed, -number)
    started = await_notice(node, "control", ProcessStarted, incarnation=2)
    assert started.process_id == "one"
    assert started.pid == pid_of(node, "one") != killed
    assert (pid_of(node, "two"), pid_of(node, "control")) == untouched


def test_a_main_that_raises_ends_the_process_with_an_error(start_node: StartNode) -> None:
    node = start_node(ProcessSpec("one", process_mains.raising, max_restarts=0))
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert died.exit_code == 1


def test_a_sigterm_to_a_process_is_left_to_the_launcher(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    node.wait_ready(DEADLINE_S)
    os.kill(pid_of(node, "one"), signal.SIGTERM)
    node.send("one", ("ping", 1))
    await_report(node, ("pong", 1, pid_of(node, "one")))


def test_a_notice_survives_the_death_of_the_watcher(start_node: StartNode) -> None:
    node = start_node(
        ProcessSpec("control", process_mains.unresponsive_once_then_echo, watches_siblings=True), echo("one")
    )
    node.wait_ready(DEADLINE_S)
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
    node.wait_ready(DEADLINE_S)
    os.kill(pid_of(node, "two"), signal.SIGKILL)
    await_event(node, lambda event: isinstance(event, ProcessDied))
    node.send("one", ("send", "two", "kept"))
    await_report(node, ("received", "kept", "one", None))


def test_a_process_can_have_a_sibling_killed_but_not_its_successor(start_node: StartNode) -> None:
    node = start_node(echo("watchdog"), ProcessSpec("stuck", process_mains.hung))
    node.wait_ready(DEADLINE_S)
    node.send("watchdog", ("kill", "stuck", 1))
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert (died.process_id, died.exit_code) == ("stuck", -signal.SIGKILL)
    await_event(node, lambda event: isinstance(event, ProcessReady) and event.incarnation == 2)
    successor = pid_of(node, "stuck")
    node.send("watchdog", ("kill", "stuck", 1))
    node.send("watchdog", ("ping", 1))
    await_report(node, ("pong", 1, pid_of(node, "watchdog")))
    assert pid_of(node, "stuck") == successor


def test_too_many_deaths_end_the_node_with_a_reason(start_node: StartNode) -> None:
    node = start_node(
        echo("calm"), ProcessSpec("sick", process_mains.crashing, max_restarts=2, max_restarts_within=60)
    )
    ended = await_event(node, lambda event: isinstance(event, NodeEnded))
    assert "process sick died 3 times within 60 s" in ended.reason
    assert not node.alive


def test_an_orderly_shutdown_stops_processes_in_reverse_order(start_node: StartNode) -> None:
    node = start_node(echo("first"), echo("second"), echo("third"))
    node.wait_ready(DEADLINE_S)
    pids = pids_of(node)
    assert node.shutdown(DEADLINE_S) == NodeEnded(None)
    events = [event for event in node.messages() if isinstance(event, Report | ProcessDied)]
    order = [(type(event).__name__, event.process_id) for event in events]
    assert order == [
        (kind, name) for name in ("third", "second", "first") for kind in ("Report", "ProcessDied")
    ]
    assert not remaining(pids, deadline=DEADLINE_S)


def test_a_process_that_outlives_its_budget_is_killed(start_node: StartNode) -> None:
    node = start_node(
        echo("polite"), ProcessSpec("unresponsive", process_mains.unresponsive, shutdown_budget=0.2)
    )
    node.wait_ready(DEADLINE_S)
    node.shutdown()
    exits = {event.process_id: event.exit_code for event in node.messages() if isinstance(event, ProcessDied)}
    assert exits == {"unresponsive": -signal.SIGKILL, "polite": 0}


def test_all_processes_are_asked_at_once_to_drain(start_node: StartNode) -> None:
    one, two = (ProcessSpec(name, process_mains.draining, drains=True) for name in ("one", "two"))
    node = start_node(echo("keeper"), one, two)
    node.wait_ready(DEADLINE_S)
    stopping = threading.Thread(target=node.shutdown)
    stopping.start()
    # Neither process ends before both have been asked to drain.
    received = {await_report(node, "draining").process_id for _ in range(2)}
    for name in received:
        node.send(name, "all are through")
    stopping.join()
    assert received == {"one", "two"}
    left = [event for event in node.messages() if isinstance(event, Report | ProcessDied)]
    assert [(type(event).__name__, event.process_id) for event in left[2:]] == [
        ("Report", "keeper"),
        ("ProcessDied", "keeper"),
    ]


def test_processes_that_drain_share_one_budget(start_node: StartNode) -> None:
    names = [f"unresponsive-{number}" for number in range(4)]
    unresponsive = [
        ProcessSpec(name, process_mains.unresponsive, drains=True, shutdown_budget=2.0) for name in names
    ]
    # If the budgets added up, they would exceed the budget of the node, and the keeper would be killed.
    node = start_node(echo("keeper"), *unresponsive)
    node.wait_ready(DEADLINE_S)
    node.shutdown(9.9)
    exits = {event.process_id: event.exit_code for event in node.messages() if isinstance(event, ProcessDied)}
    assert exits == {"keeper": 0} | dict.fromkeys(names, -signal.SIGKILL)


def test_the_directory_is_removed_with_the_node(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    assert node.directory.stat().st_mode & 0o777 == 0o700
    node.shutdown(DEADLINE_S)
    assert not node.directory.exists()


def test_a_second_shutdown_changes_nothing(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    assert node.shutdown(DEADLINE_S) == node.shutdown(DEADLINE_S) == NodeEnded(None)


def test_a_main_that_cannot_be_imported_is_refused_before_anything_starts() -> None:
    async def local(_context: object) -> None: ...

    with pytest.raises(ProcessSystemError, match="module-level function"):
        ProcessSpec("one", local)


def test_the_death_of_a_process_reports_the_run_it_was_executing(start_node: StartNode) -> None:
    node = start_node(echo("one"))
    node.send("one", ("execute", b"0123456789abcdef01234567"))
    await_report(node, "executing")
    os.kill(pid_of(node, "one"), signal.SIGKILL)
    died = await_event(node, lambda event: isinstance(event, ProcessDied))
    assert (died.last.executing, died.last.worker_id) == (b"0123456789abcdef01234567", 7)
