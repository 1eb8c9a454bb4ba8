"""Stops of a node: its hosts drain together, and it leaves no lease that would have to run out."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from continuum import RunHandle
from continuum.engine.ids import NodeId
from continuum.errors import ClusterError
from continuum.journal.port import NodeFacts
from continuum.node.name_check import refuse_taken_name
from continuum.node.running_node import wait_for_end
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.node.control_process import ControlledNode, retire
from continuum_actors.node.launcher_reports import DrainRequested
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.process.events import JoinUnanswered, NodeEvent, ProcessStarted, Report
from continuum_supervision.process.log import LogOutput
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, LONG_LEASE_S, eventually, site

LAUNCH_WITHOUT_CHECKS = """
import sys
from continuum.node import launcher, node_database
from continuum.node.config import NodeConfig
from continuum.settings.settings import Settings

async def no_check(dsn, schema, name=None):
    pass

node_database.check_schema = launcher.refuse_taken_name = no_check
sys.stderr = sys.stdout
sys.exit(launcher.run_node(eval(sys.argv[1])))
"""


LAUNCH_ON_ONE_STREAM = """
import sys
from continuum.node.launcher import run_node
from continuum.node.config import NodeConfig
from continuum.settings.settings import Settings
sys.stderr = sys.stdout
sys.exit(run_node(eval(sys.argv[1])))
"""


async def test_hosts_whose_drain_times_out_release_their_runs_and_claim_nothing(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", run_hosts=2, drain=1.0)
        runs: list[RunHandle[int]] = []

        async def both_own_some() -> bool:
            number = len(runs)
            runs.append(await at.client.start(flows.brewing, str(tmp_path), number))
            owners = await at.sql("select count(distinct owner) from {schema}.runs where owner is not null")
            return bool(owners[0][0] == 2)

        await at.until(both_own_some, "one host owns everything")
        eventually(lambda: len(flows.starts(tmp_path)) == len(runs), "an activity did not begin")
        began = flows.starts(tmp_path)
        owned = await at.sql("select id, token from {schema}.runs order by id")

        assert north.terminate() == 0

        assert await at.sql("select * from {schema}.workers") == []
        assert await at.row("north") is None
        assert await at.sql("select id from {schema}.runs where owner is not null or due_at is null") == []
        # Neither host claimed what the other released.
        assert await at.sql("select id, token from {schema}.runs order by id") == owned
        assert flows.starts(tmp_path) == began

        (tmp_path / "brewed").touch()
        at.node("south")
        assert [await run.result(DEADLINE_S) for run in runs] == list(range(len(runs)))


async def test_six_orderly_stops_count_no_crash_against_an_activity_of_any_kind(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        run = await at.client.start(flows.lasting, str(tmp_path))
        failing = await at.client.start(flows.failing_when_stopped, str(tmp_path))
        once = await at.client.start(flows.lasting_once, str(tmp_path))
        kinds = flows.KINDS + flows.FAILING_KINDS
        for stop in range(1, 7):
            node = at.node(f"node {stop}", activity_hosts=1, drain=0.05)
            eventually(
                lambda: all(flows.lasting_starts(tmp_path, kind) == stop for kind in kinds),  # noqa: B023
                f"an activity has not started for the {stop}. time",
            )
            assert node.terminate() == 0
        (tmp_path / "finished").touch()
        at.node("last", activity_hosts=1)
        assert await run.result(DEADLINE_S) == list(flows.KINDS)
        assert await failing.result(DEADLINE_S) == list(flows.FAILING_KINDS)
        for each, number in ((run, 4), (failing, 2)):
            types = [event.type for event in await each.history()]
            assert types == ["activity_scheduled"] * number + ["activity_completed"] * number
        assert "its process was stopped while it ran; at_most_once is set" in await once.result(DEADLINE_S)
        assert flows.lasting_starts(tmp_path, "once") == 1


async def test_a_host_that_has_to_be_killed_leaves_no_lease(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", drain=1.0, watchdog=600.0)
        runs = await at.orders(3)
        os.kill(await at.pid("north", "run_host"), signal.SIGSTOP)
        assert north.terminate() == 0
        assert await at.sql("select * from {schema}.workers") == []
        assert await at.sql("select id from {schema}.runs where owner is not null") == []
        at.node("south")
        await at.all_ship(runs)


async def test_last_process_of_a_node_releases_only_its_own_nodes_leftovers(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = NodeId("north")
        ours, successors = 2**22 + 1, 2**22 + 2
        for pid in (ours, successors):
            await at.journal.register_worker(north, "run_host", pid, LONG_LEASE_S)
        nothing: Any = None
        config = ProcessConfig(dsn, schema, north, (), "", os.getpid(), LogOutput(), Settings())
        node = ControlledNode(nothing, config, Code([]))
        node.started(ProcessStarted("run_host-1", "run_host", 1, ours))
        await retire(at.journal, node, north)
        assert [pid for _, pid in await at.journal.node_workers(north)] == [successors]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_node_that_is_stopped_before_it_is_ready_says_so_in_one_line(
    number: signal.Signals, dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
        node = at.launch("early", dsn=nowhere, script=LAUNCH_WITHOUT_CHECKS)

        def all_run() -> bool:
            node.note_processes()
            # System, admin and supervisor, control, a run host and two quarantine hosts.
            return len(node.seen) >= 7

        eventually(all_run, "the processes were not started")
        node.launcher.send_signal(number)
        assert node.launcher.wait(DEADLINE_S) == 0
        assert node.launcher.stdout is not None
        assert node.launcher.stdout.read() == "stopped before the node was ready\n"
        eventually(lambda: not node.left(), f"left behind: {node.left()}")


async def test_a_node_without_modules_warns_and_still_becomes_ready(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.launch("idle", modules=[], script=LAUNCH_ON_ONE_STREAM)
        assert node.launcher.stdout is not None
        warning, ready = node.launcher.stdout.readline(), node.launcher.stdout.readline()
        node.note_processes()
        assert "serves no workflow: name modules, e.g. `continuum run-node orders`" in warning
        assert ready.startswith("ready ")
        assert node.terminate() == 0


async def test_modules_without_workflows_and_activities_are_named_and_the_node_starts(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        node = at.launch(
            "idle", modules=["os", "tests.process.node.flows", "json"], script=LAUNCH_ON_ONE_STREAM
        )
        assert node.launcher.stdout is not None
        warning, ready = node.launcher.stdout.readline(), node.launcher.stdout.readline()
        node.note_processes()
        assert "no workflow or activity is defined in or imported into os, json: name" in warning
        assert ready.startswith("ready ")
        assert node.terminate() == 0


async def test_limits_of_queues_that_no_code_uses_are_named_and_the_node_starts(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        node = at.launch("idle", queues={"lastign": 2, "lasting": 2}, script=LAUNCH_ON_ONE_STREAM)
        assert node.launcher.stdout is not None
        warning, ready = node.launcher.stdout.readline(), node.launcher.stdout.readline()
        node.note_processes()
        said = "nothing that is loaded uses queue 'lastign'; the nearest name is lasting"
        assert said in warning
        assert ready.startswith("ready ")
        assert node.terminate() == 0


async def test_the_name_of_a_live_node_is_refused(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        holder = NodeId("north")
        await at.journal.register_worker(holder, "run_host", os.getpid(), 60.0)
        await at.journal.renew([], 60.0, NodeFacts(holder, os.getpid(), "local", "up"))
        with pytest.raises(ClusterError, match="a node named north is running"):
            await refuse_taken_name(dsn, schema, "north")
        await refuse_taken_name(dsn, schema, "south")


class Events:
    """Events of a node, known in advance."""

    def __init__(self, *events: NodeEvent) -> None:
        self._events = list(events)

    def receive(self, timeout: float | None = None) -> NodeEvent:
        """Return the next event."""
        return self._events.pop(0)


def test_an_unanswered_join_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    system: Any = Events(JoinUnanswered("nobody answered"), Report("control", 1, DrainRequested()))
    wait_for_end(system, threading.Event())
    logged = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert logged == [(logging.WARNING, "nobody answered")]
