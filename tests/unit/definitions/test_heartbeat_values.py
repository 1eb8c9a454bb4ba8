"""Progress that an activity records comes back to the next attempt as it went, or is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from continuum import DurableTermError
from continuum.definitions.activity_context import ActivityContext
from continuum.engine.ids import RunId

RUN_ID = RunId("01900000-0000-7000-8000-000000000001")


class Step(Enum):
    """A step."""

    COPIED = "copied"


@dataclass
class Progress:
    """How far an activity is."""

    page: int


class Pair(NamedTuple):
    """Two numbers."""

    first: int
    second: int


class Name(str):
    """Text with a class of its own."""


def after(details: Any) -> Any:
    """Return what the next attempt sees."""
    beats: list[bytes] = []
    ActivityContext(RUN_ID, 1, lambda _, data: beats.append(data)).heartbeat(details)
    following = ActivityContext(RUN_ID, 2)
    following.resume_from(beats[-1])
    return following.last_heartbeat


NINE = datetime(2026, 3, 28, 9, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    "details", [None, {"page": 1}, [(1, 2), {3}], {"at": NINE}, b"raw", {1: (2.5, True)}]
)
def test_plain_progress_comes_back_as_it_went(details: Any) -> None:
    found = after(details)
    assert (found, repr(found)) == (details, repr(details))


@pytest.mark.parametrize(
    ("details", "where"),
    [
        (Progress(1), "heartbeat: a Progress"),
        ({"step": Step.COPIED}, "heartbeat.step: a Step"),
        ([Pair(1, 2)], r"heartbeat\[0\]: a Pair"),
        ({"name": Name("x")}, "heartbeat.name: a Name"),
    ],
)
def test_progress_that_would_change_is_refused_with_its_path(details: Any, where: str) -> None:
    with pytest.raises(DurableTermError, match=f"^{where} would come back as a plain value"):
        after(details)
