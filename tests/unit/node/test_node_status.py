"""What a launcher says of its node: well while leases are renewed, ready while it claims."""

from __future__ import annotations

import pytest

from continuum.node.node_status import NodeStatus
from continuum.telemetry.tallies import Tally
from continuum_actors.node.launcher_reports import Counted, Renewed


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The clock of the status."""
    return Clock()


@pytest.fixture
def status(clock: Clock) -> NodeStatus:
    """The status of a node with leases of ten seconds that has just started."""
    return NodeStatus(10.0, clock)


def test_a_node_is_well_once_it_has_renewed_and_ready_once_its_processes_are(status: NodeStatus) -> None:
    assert status.unhealthy() == "the node starts: it has not registered its leases yet"
    status.take(Renewed("up"))
    assert status.unhealthy() is None
    assert status.not_claiming() == "the node starts: not all of its processes are ready"
    status.ready()
    assert status.not_claiming() is None


def test_a_node_that_does_not_renew_for_a_lease_is_not_well(status: NodeStatus, clock: Clock) -> None:
    status.ready()
    status.take(Renewed("up"))
    clock.time += 10.0
    assert status.unhealthy() is None

    clock.time += 2.0

    reason = status.unhealthy()
    assert reason is not None
    assert reason.startswith("the leases were renewed 12 s ago, and not within 10 s: the database does not")
    assert "\n" not in reason
    assert status.not_claiming() == reason
    status.take(Renewed("up"))
    assert status.not_claiming() is None


def test_a_node_with_long_leases_is_not_well_after_six_renewals_that_did_not_come(clock: Clock) -> None:
    status = NodeStatus(600.0, clock)
    status.take(Renewed("up"))
    clock.time += 31.0
    assert status.unhealthy() is not None


@pytest.mark.parametrize("drains", ["asked by an operator", "stopped"])
def test_a_node_that_drains_is_well_and_takes_nothing(status: NodeStatus, clock: Clock, drains: str) -> None:
    status.ready()
    status.take(Renewed("up"))
    if drains == "stopped":
        status.stopping()
        # Nothing is reported while the launcher waits for the end.
        clock.time += 100.0
    else:
        status.take(Renewed("draining"))

    assert status.unhealthy() is None
    assert status.not_claiming() == "the node drains: it ends what it runs and takes nothing new"


def test_a_late_report_does_not_make_a_node_that_stops_take_work(status: NodeStatus) -> None:
    status.ready()
    status.stopping()
    status.take(Renewed("up"))
    assert status.not_claiming() is not None


def test_sums_outlive_the_processes_that_have_counted(status: NodeStatus) -> None:
    status.take(Counted((Tally("lease.lost", "", "", 1),)))
    status.restarts()
    status.take(Counted((Tally("lease.lost", "", "", 2),)))

    assert status.counted() == [Tally("lease.lost", "", "", 3)]
    assert status.unhealthy() is not None
