"""Messages quote at most 200 characters of what a user sent, whatever call it was sent with."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import continuum
from continuum import Retry, Signal, activity, workflow
from continuum.cli.main import main
from continuum.codec.codec import decoder_for, encode
from continuum.errors import ContinuumError
from continuum.quoting import QUOTED_CHARACTERS, one_line, quoted, shortened
from tests.unit.client.working import memory_client

WORD = "x" * 10_000
TEXT = "x y " * 2_500
SENTENCE = "no " * 500
LONGEST_MESSAGE = 700
# One quotation, and what we say around it.
LONGEST_USAGE = 400


class Hostile:
    """Its `repr` raises."""

    def __repr__(self) -> str:
        raise OSError("no")


def refused_definitions(long: str) -> list[Callable[[], Any]]:
    """Return definitions with a long text in each place that takes one."""
    return [
        lambda: workflow(name=long)(noop),
        lambda: workflow(label=long)(noop),  # type: ignore[call-overload]
        lambda: workflow(on_change=long)(noop),  # type: ignore[call-overload]
        lambda: workflow(retention=long)(noop),  # type: ignore[call-overload]
        lambda: workflow(signals=[long])(noop),  # type: ignore[list-item]
        lambda: activity(queue=long)(plain),
        lambda: activity(timeout=long)(plain),  # type: ignore[call-overload]
        lambda: activity(executor=long)(plain),  # type: ignore[call-overload]
        lambda: activity(retry=long)(plain),  # type: ignore[call-overload]
        lambda: activity(idempotency_key="{" + long.replace(" ", "_") + "}")(plain),
        lambda: activity(long),  # type: ignore[call-overload]
        lambda: Signal(long, str),
        lambda: Retry(backoff=long),  # type: ignore[arg-type]
        lambda: Retry(non_retryable=long),  # type: ignore[arg-type]
        lambda: continuum.children(**{long: 1}),  # type: ignore[arg-type]
        lambda: continuum.children(queues={long: 0}),
        lambda: encode({long: object()}),
        lambda: encode([{"key": {long: Hostile()}}]),
        lambda: decoder_for(int)(encode(long)),
        lambda: decoder_for(dict[str, int])(encode({long: "no"})),
    ]


async def noop() -> None:
    """Do nothing."""


def plain() -> None:
    """Do nothing."""


@workflow(name="quoting.flow")
async def flow(number: int) -> int:
    """Return a number."""
    return number


def refused_calls(client: Any, long: str) -> list[Callable[[], Any]]:
    """Return calls of a client with a long text in each place that takes one."""
    return [
        lambda: client.start(long),
        lambda: client.start(flow, long),
        lambda: client.start(flow, 1, **{long: 1}),
        lambda: client.start(flow, 1, id=long),
        lambda: client.start(flow, 1, namespace=long),
        lambda: client.start(flow, 1, idempotency_key=long),
        lambda: client.start(flow, 1, on_conflict=long),
        lambda: client.start(flow, 1, attributes={long: object()}),
        lambda: client.start(flow, 1, attributes=long),
        lambda: client.get_run(long),
        lambda: client.signal(long, "go", 1),
        lambda: client.await_run(long),
        lambda: client.cancel(long),
        lambda: client.unblock(long),
        lambda: client.read(long, "stage"),
        lambda: client.read("01a22824-af5a-7a1e-a6a4-ec0557d389c1", long),
        lambda: client.query(where=[(long, "eq", 1)]),
        lambda: client.query(where=[("state", long, 1)]),
        lambda: client.query(where=[("state", "eq", long)]),
        lambda: client.query(where=[("started_at", "lt", long)]),
        lambda: client.query(where=[("id", "in", long)]),
        lambda: client.query(where=[long]),
        lambda: client.query(order_by=long),
        lambda: client.query(limit=long),
        lambda: client.query(cursor=long),
        lambda: client.drain_node(long),
    ]


def assert_short(error: BaseException, call: str) -> None:
    text = str(error)
    assert len(text) <= LONGEST_MESSAGE, f"{call}: {len(text)}: {text[:300]}"
    assert "x" * (QUOTED_CHARACTERS + 1) not in text, call
    assert "x y " * (QUOTED_CHARACTERS // 4 + 1) not in text, call


@pytest.mark.parametrize("long", [WORD, TEXT])
def test_definitions_quote_little_of_a_long_text(long: str) -> None:
    for number, define in enumerate(refused_definitions(long)):
        try:
            define()
        except Exception as error:  # noqa: BLE001 - a caller's mistake has several types
            assert_short(error, f"definition {number}")


@pytest.mark.parametrize("long", [WORD, TEXT])
def test_clients_quote_little_of_a_long_text(long: str) -> None:
    async def scenario() -> None:
        async with memory_client() as (client, _):
            for number, call in enumerate(refused_calls(client, long)):
                try:
                    await call()
                except Exception as error:  # noqa: BLE001 - a caller's mistake has several types
                    assert_short(error, f"call {number}")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "arguments",
    [
        [WORD],
        ["runs", WORD],
        ["runs", "list", "--state", WORD],
        ["runs", "list", "--limit", WORD],
        ["runs", "list", "--attribute", WORD],
        ["start", WORD],
        ["start", "flow", WORD],
        ["run-node", WORD],
        ["run-node", "orders", "--queue", WORD],
        ["run-node", "orders", "--bind", WORD],
        ["migrate", "--schema", WORD, "--dsn", "host=/nowhere"],
        ["check", WORD],
        ["runs", "list", "--dsn", WORD],
    ],
    ids=" ".join,
)
def test_the_command_line_quotes_little_of_a_long_argument(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) != 0
    printed = capsys.readouterr()
    assert "x" * (QUOTED_CHARACTERS + 1) not in printed.err + printed.out
    assert len(printed.err) <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    "arguments",
    [
        [SENTENCE],
        ["runs", SENTENCE],
        ["runs", "list", "--state", SENTENCE],
        ["runs", "list", f"--state={SENTENCE}"],
        ["runs", "list", "--limit", SENTENCE],
        ["runs", "list", f"--{SENTENCE}"],
        ["runs", "list", f"--{SENTENCE}=1"],
        ["runs", "list", *["no"] * 1_000],
        ["runs", "list", *[SENTENCE] * 9],
        ["start", "flow", "--id", SENTENCE],
        ["start", "flow", "--id", SENTENCE.replace(" ", "\n\t'")],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_quotes_little_of_what_was_typed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("no") <= QUOTED_CHARACTERS // 2
    assert len(said) <= LONGEST_USAGE
    assert said.endswith("--help)\n")


@pytest.mark.parametrize("long", [WORD, TEXT])
def test_errors_keep_the_whole_text_as_an_attribute(long: str) -> None:
    for error in (
        continuum.ActivityError(long, long, long, "", 1),
        continuum.ChildFailed("run", long, long),
        continuum.RunFailed("run", long, long),
    ):
        assert_short(error, type(error).__name__)
        assert error.message == long
        assert pickle.loads(pickle.dumps(error)).message == long  # noqa: S301 - our own error


def test_short_texts_are_quoted_whole() -> None:
    assert shortened("no") == "no"
    assert quoted("no") == "'no'"
    assert str(ContinuumError("no " * 1_000)) == "no " * 1_000


def test_a_quotation_says_how_long_the_text_was() -> None:
    assert shortened(WORD).endswith("x… (10000 characters)")
    assert len(shortened(WORD)) == QUOTED_CHARACTERS
    assert quoted(WORD.encode()).endswith("… (10000 bytes)")
    assert quoted(Hostile()) == "<Hostile whose repr raises OSError>"


def test_a_line_of_the_log_has_no_line_break_and_no_control_character() -> None:
    assert one_line("a\n\tb\x1b[31m\0") == "a b [31m"
    assert len(one_line("no\n" * 10_000)) <= QUOTED_CHARACTERS
