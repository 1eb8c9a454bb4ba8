"""Outages of a database: one line at the start and one at the end, however many callers wait."""

from __future__ import annotations

import pytest

from continuum.errors import JournalUnavailable
from continuum.journal.outages import SETTLE_SECONDS, Outage, outage_of

REFUSED = JournalUnavailable("no connection")
BEGAN = "claiming: no connection; everything that needs the database waits until it answers"


class World:
    """An outage on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.outage = Outage(lambda: self.now)

    def fails(self, callers: int = 1) -> None:
        """Let calls fail."""
        for _ in range(callers):
            self.outage.failed("claiming", REFUSED)


def test_many_callers_that_wait_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fails(100)
    world.now += 60
    world.fails(100)
    for _ in range(200):
        world.outage.answered()
    assert caplog.messages == [BEGAN, "the database answers again, after 60.0 s"]


def test_connections_that_an_outage_has_left_broken_are_no_second_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.fails()
    world.outage.answered()
    world.now += SETTLE_SECONDS / 2
    world.fails()
    world.outage.answered()
    assert len(caplog.messages) == 2


def test_a_second_outage_right_after_the_first_is_logged_when_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.fails()
    world.outage.answered()
    world.now += 1
    world.fails()
    world.now += SETTLE_SECONDS
    world.fails()
    world.now += 1
    world.outage.answered()
    assert caplog.messages[2:] == [BEGAN, f"the database answers again, after {SETTLE_SECONDS + 1:.1f} s"]


def test_a_later_outage_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fails()
    world.outage.answered()
    world.now += SETTLE_SECONDS
    world.fails()
    assert len(caplog.messages) == 3


def test_a_database_has_one_outage_in_a_process() -> None:
    assert outage_of("host=one") is outage_of("host=one")
    assert outage_of("host=one") is not outage_of("host=two")
