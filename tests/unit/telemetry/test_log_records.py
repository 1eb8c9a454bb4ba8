"""Log records as JSON: one object a line, whatever the caller logs."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from continuum import JsonFormatter


def record(text: object = "shipped %d", *args: object, **attributes: object) -> logging.LogRecord:
    """Return a record as a logger makes it."""
    made = logging.LogRecord("shop.mail", logging.WARNING, "shop.py", 7, text, args, None)
    made.__dict__.update(attributes)
    return made


def logged(made: logging.LogRecord, **facts: str | int) -> dict[str, Any]:
    """Return the object that a process of these facts logs."""
    text = JsonFormatter(**facts).format(made)
    assert "\n" not in text
    assert text.isascii()
    read: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    return read


def test_a_record_is_an_object_with_time_level_logger_and_text() -> None:
    found = logged(record("shipped %d", 3, created=1.25), node="north", process="run_host-1", pid=7)
    assert found == {
        "timestamp": "1970-01-01T00:00:01.250000Z",
        "level": "WARNING",
        "logger": "shop.mail",
        "message": "shipped 3",
        "node": "north",
        "process": "run_host-1",
        "pid": 7,
    }


def test_the_time_is_that_of_the_record() -> None:
    made = record("now")
    at = datetime.fromisoformat(logged(made)["timestamp"])
    assert at == datetime.fromtimestamp(made.created, UTC)


def test_run_and_attempt_come_before_added_fields() -> None:
    made = record("x", order=7, attempt=2, run_id="r", activity="mail", workflow="shop")
    assert list(logged(made))[4:] == ["run_id", "workflow", "activity", "attempt", "order"]


def test_an_exception_is_a_field_with_its_traceback() -> None:
    try:
        raise ValueError("no\nstock")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    found = logged(made)
    assert found["message"] == "failed"
    assert re.fullmatch(r"Traceback .*\n  File .*\n.*ValueError: no\nstock\n", found["exception"], re.DOTALL)


def test_an_exception_that_cannot_be_formatted_is_logged_all_the_same() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even that")

    try:
        raise Hostile
    except Hostile:
        made = record("failed", exc_info=sys.exc_info())
    assert "Hostile" in logged(made)["exception"]


def test_a_text_whose_arguments_do_not_fit_is_logged_all_the_same() -> None:
    found = logged(record("shipped %d", "three"))
    assert found["message"].startswith("'shipped %d' with arguments that do not fit: ")


class Unprintable:
    """A value without a text."""

    def __repr__(self) -> str:
        raise RuntimeError("none")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (float("nan"), "nan"),
        ([1, {"a": "b"}], [1, {"a": "b"}]),
        ([float("inf")], "[inf]"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ("grün\udc80\n", "grün\udc80\n"),
        (Unprintable(), "<Unprintable: none>"),
    ],
)
def test_an_added_field_is_itself_or_its_text(value: object, shown: object) -> None:
    assert logged(record("x", added=value))["added"] == shown


def test_an_added_field_replaces_none_of_the_record() -> None:
    found = logged(record("x", level="mine", timestamp="mine", node="mine"), node="north")
    assert (found["level"], found["node"]) == ("WARNING", "north")
    assert found["timestamp"] != "mine"
