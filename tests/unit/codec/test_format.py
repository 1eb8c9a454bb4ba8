"""The bytes of every kind of value, so that the format never changes by accident."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from continuum.codec.codec import decode, encode
from continuum.errors import DurableTermError

GOLDEN: list[tuple[Any, str | bytes]] = [
    (None, "01c0"),
    ({"a": [1, -1.5, True, b"x"]}, "0181a16194 01 cbbff8000000000000 c3 c40178"),
    ((1, ("a",)), "01d701 92 01 c703 01 91 a161"),
    ({3, 1, 2}, "01d602 93 01 02 03"),
    (frozenset({1}), "01d503 91 01"),
    (1 << 64, "01c70904 010000000000000000"),
    (-(1 << 63) - 1, "01c70904 ff7fffffffffffffff"),
    (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), b"2026-01-02T03:04:05.000006+00:00"),
    (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3))), b"2026-01-02T00:00:00-03:00"),
    (datetime(2026, 1, 2), b"2026-01-02T00:00:00"),  # noqa: DTZ001 - naive stays naive
    (date(2026, 1, 2), b"2026-01-02"),
    (time(1, 2, 3), b"01:02:03"),
    (timedelta(days=-1, seconds=2, microseconds=3), "01c70c08 ffffffff 00000002 00000003"),
    (UUID(int=1), "01d809" + "00" * 15 + "01"),
    (Decimal("-1.50"), b"-1.50"),
]
TEXT = {datetime: 5, date: 6, time: 7, Decimal: 10}


@pytest.mark.parametrize(("value", "expected"), GOLDEN, ids=lambda item: str(item)[:30])
def test_the_bytes_of_a_value_never_change(value: Any, expected: str | bytes) -> None:
    payload = encode(value)
    if isinstance(expected, bytes):
        assert payload[0] == 1
        assert payload.endswith(bytes([TEXT[type(value)]]) + expected)
    else:
        assert payload == bytes.fromhex(expected)
    assert decode(payload) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\x01",
        b"\x01",
        b"\x01\x01\x01",
        b"\x01\xc1",
        b"\x01\xd4\x1f\x00",
        b"\x01\xd4\x09\x00",
        b"\x01\xa1\xff",
    ],
    ids=[
        "empty",
        "later format",
        "nothing",
        "trailing",
        "no msgpack",
        "later extension",
        "short uuid",
        "no utf-8",
    ],
)
def test_the_error_for_bytes_that_are_no_payload_has_the_path(data: bytes) -> None:
    with pytest.raises(DurableTermError) as caught:
        decode(data, path="history[3]")
    assert caught.value.path == "history[3]"


def test_equal_sets_give_equal_bytes() -> None:
    # 0 and 1024 share a slot in a small table, so they iterate in the order of insertion.
    upwards, downwards = {0, 1024}, {1024, 0}
    assert list(upwards) != list(downwards)
    assert encode(upwards) == encode(downwards)


def test_an_aware_datetime_keeps_its_offset() -> None:
    moment = datetime(2026, 6, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert decode(encode(moment)).utcoffset() == timedelta(hours=5, minutes=30)


@pytest.mark.parametrize("blob", [bytearray(b"ab"), memoryview(b"ab")], ids=["bytearray", "memoryview"])
def test_any_buffer_is_read_as_bytes(blob: object) -> None:
    assert decode(encode(blob)) == b"ab"
