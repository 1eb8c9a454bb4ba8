"""A datetime comes back with its zone or is refused: a day later it is the same hour on the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH, ZoneInfo

import pydantic
import pytest

from continuum.codec.codec import decode, encode
from continuum.errors import DurableTermError

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2026, 3, 28, 9, tzinfo=BERLIN)  # the clocks go forward in the night that follows
TWICE = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)  # this wall time comes twice


@dataclass(frozen=True)
class Appointment:
    at: datetime


class Booking(pydantic.BaseModel):
    at: datetime


class OwnZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else timedelta(hours=1)

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        return "own"


class OwnOffset(OwnZone):
    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (NINE, datetime),
        (NINE, Any),
        ([NINE], list[datetime]),
        ({NINE}, set[datetime]),
        ({"at": NINE}, dict[str, datetime]),
        (Appointment(NINE), Appointment),
        (Booking(at=NINE), Booking),
    ],
    ids=["alone", "untyped", "list", "set", "dict", "dataclass", "pydantic"],
)
def test_a_datetime_keeps_its_zone_wherever_it_is(value: Any, annotation: Any) -> None:
    read = decode(encode(value), annotation)
    assert read == value
    at = read if isinstance(read, datetime) else next(iter(read)) if isinstance(read, (set, list)) else None
    if at is None:
        at = read["at"] if isinstance(read, dict) else read.at
    assert at.tzinfo is BERLIN
    assert (at + timedelta(days=1)).isoformat() == "2026-03-29T09:00:00+02:00"


@pytest.mark.parametrize("fold", [0, 1])
def test_a_wall_time_that_comes_twice_stays_the_same_of_both(fold: int) -> None:
    read = decode(encode(TWICE.replace(fold=fold)))
    assert (read.fold, read.utcoffset()) == (fold, timedelta(hours=2 - fold))


def test_a_naive_datetime_keeps_its_fold() -> None:
    read = decode(encode(TWICE.replace(tzinfo=None, fold=1)))
    assert (read.fold, read.tzinfo) == (1, None)


def test_the_bytes_of_a_zoned_datetime_never_change() -> None:
    wall_time = b"2026-03-28T09:00:00;0;Europe/Berlin"
    assert encode(NINE) == bytes([1, 0xC7, len(wall_time), 11]) + wall_time


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=2)), OwnOffset()], ids=lambda zone: type(zone).__name__
)
def test_a_fixed_offset_stays_an_offset(zone: tzinfo) -> None:
    read = decode(encode(datetime(2026, 1, 1, tzinfo=zone)))
    assert (read, read.utcoffset()) == (datetime(2026, 1, 1, tzinfo=zone), zone.utcoffset(None))


def test_a_zone_of_another_kind_is_refused_with_the_path() -> None:
    with pytest.raises(DurableTermError, match=r"input\[0\].at: .*OwnZone.* use zoneinfo.ZoneInfo"):
        encode([Appointment(datetime(2026, 1, 1, tzinfo=OwnZone()))], path="input")


def test_a_zone_without_a_key_is_refused() -> None:
    files = [Path(folder, "Europe/Berlin") for folder in TZPATH]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        pytest.skip("this machine has no files of time zones")
    with file.open("rb") as data:
        nameless = ZoneInfo.from_file(data)
    with pytest.raises(DurableTermError, match="has no key"):
        encode(datetime(2026, 1, 1, tzinfo=nameless))


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "a;b"])
def test_a_zone_that_this_machine_does_not_know_is_named(zone: str) -> None:
    text = f"2026-03-28T09:00:00;0;{zone}".encode()
    with pytest.raises(DurableTermError, match="history"):
        decode(bytes([1, 0xC7, len(text), 11]) + text, path="history[3]")
