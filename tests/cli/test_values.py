"""Values on the command line that JSON cannot express."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from continuum import Signal, connect
from continuum.cli.values import typed_json
from continuum.journal.postgres import PostgresJournal
from continuum.operations.json_text import to_json
from tests.cli.commands import CommandLine
from tests.unit.client.working import Ending


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"$datetime": "2026-01-31T09:00:00Z"}', datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ('{"$date": "2026-01-31"}', date(2026, 1, 31)),
        ('{"$time": "09:30"}', time(9, 30)),
        ('{"$timedelta": 90.5}', timedelta(seconds=90.5)),
        ('{"$Decimal": "1.50"}', Decimal("1.50")),
        ('{"$UUID": "00000000-0000-0000-0000-000000000001"}', UUID(int=1)),
        ('{"$bytes": "AP8="}', b"\x00\xff"),
        ('[{"at": {"$date": "2026-01-31"}}]', [{"at": date(2026, 1, 31)}]),
        ('{"$decimal": "1"}', {"$decimal": "1"}),
        ('{"$date": "2026-01-31", "n": 1}', {"$date": "2026-01-31", "n": 1}),
    ],
)
def test_a_map_with_the_name_of_a_type_is_read_as_that_type(text: str, value: Any) -> None:
    assert typed_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"$datetime": "soon"}',
        '{"$date": 7}',
        '{"$timedelta": "1 h"}',
        '{"$timedelta": 1e+300}',
        '{"$Decimal": "much"}',
        '{"$UUID": 7}',
        '{"$bytes": "%"}',
    ],
)
def test_an_invalid_typed_value_is_a_usage_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = CommandLine((), capsys).bare("start", "greeting", text)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert f"{text} is not a valid " in outcome.err


def test_start_and_signal_accept_values_of_any_type(cli: CommandLine) -> None:
    async def declare() -> None:
        journal = PostgresJournal(cli.options[1], schema=cli.options[3])
        await journal.open()
        try:
            await Ending(journal).declare(Signal("due", datetime))
        finally:
            await journal.close()

    asyncio.run(declare())
    run_id = cli("start", "greeting", '{"$Decimal": "1.50"}').out.strip()
    assert cli("signal", run_id, "due", '{"$datetime": "2026-01-31T09:00:00+00:00"}').err == ""

    async def stored() -> object:
        async with connect(cli.options[1], schema=cli.options[3]) as client:
            return (await client.get_run(run_id)).input

    assert asyncio.run(stored()) == [Decimal("1.50")]
    refused = cli("signal", run_id, "due", '"2026-01-31T09:00:00+00:00"')
    assert (refused.code, refused.err) == (
        1,
        "continuum: signal due: expected datetime, got str\n",
    )


def test_printed_values_can_be_read_back() -> None:
    assert to_json([timedelta(seconds=90.5), b"\x00\xff"]) == '[90.5, "AP8="]'


@pytest.mark.parametrize("given", ["nan", "inf", "-1", "1e300"])
@pytest.mark.parametrize(
    "command",
    [
        ("doctor", "--transaction-age"),
        ("health", "--due-for"),
        ("result", "00000000-0000-4000-8000-000000000007", "--timeout"),
    ],
    ids=" ".join,
)
def test_seconds_are_a_number_that_can_be_waited_for(
    cli: CommandLine, command: tuple[str, ...], given: str
) -> None:
    refused = cli(*command, given)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1), refused


def test_a_dsn_that_is_no_text_is_refused(cli: CommandLine) -> None:
    refused = cli.bare("doctor", "--dsn", "\udcff")
    assert (refused.code, "the DSN cannot be read" in refused.err) == (1, True), refused
