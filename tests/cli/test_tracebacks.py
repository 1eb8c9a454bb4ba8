"""`runs show` of a failed run has the traceback of the activity or the child whose failure it repeats."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

from continuum.cli.tracebacks import LINES_SHOWN, print_tracebacks
from continuum.client.error_causes import cause_of
from continuum.client.histories import Event
from continuum.client.runs import RunError
from continuum.journal.untyped_values import at
from tests.cli.shop import Shop
from tests.process.actors.hosting import stage

FAILING = """
from continuum import ActivityError, activity, workflow

def deep(levels: int) -> None:
    if levels:
        deep(levels - 1)
    raise LookupError("no such account")

@activity(name="{name}.charge")
async def charge(levels: int) -> None:
    deep(levels)

@workflow(name="{name}.order")
async def order(levels: int) -> None:
    await charge(levels)

@workflow(name="{name}.family")
async def family(levels: int) -> None:
    await order(levels)

@workflow(name="{name}.caught")
async def caught(levels: int) -> None:
    try:
        await charge(levels)
    except ActivityError:
        raise ValueError("nobody pays") from None

@workflow(name="{name}.renamed")
async def renamed(levels: int) -> None:
    try:
        await charge(levels)
    except ActivityError as error:
        raise ValueError(f"nobody pays: {error}") from None
"""


def fail(shop: Shop, module: ModuleType, workflow: str, levels: int = 1) -> str:
    """Run a workflow until it has failed; return its id."""

    async def failing() -> str:
        flows = [module.order, module.family, module.caught, module.renamed]
        async with stage(shop.cli.options[1], shop.cli.options[3]) as on, on.alone(*flows):
            run = await on.client.start(getattr(module, workflow), levels)
            await on.until_state(run, "failed")
            return run.id

    return asyncio.run(failing())


def test_the_traceback_of_an_activity_is_printed(shop: Shop) -> None:
    run = fail(shop, shop.deploy(FAILING), "order")
    shown = shop.cli("runs", "show", run).out
    assert f"event 1: {shop.name}.charge failed on attempt 1:\n" in shown
    activity = shown.partition("event 1:")[2]
    assert all(word in activity for word in ("in charge", "in deep", "LookupError: no such account"))
    cause = shop.cli("runs", "show", run, "--json").json["caused_by"]
    assert (cause["event"], cause["name"], cause["attempt"]) == (1, f"{shop.name}.charge", 1)
    assert "in deep" in cause["traceback"]


def test_a_long_traceback_is_shortened_unless_all_of_it_is_asked_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("continuum.cli.tracebacks.LINES_SHOWN", 4)
    run = fail(shop, shop.deploy(FAILING), "order")
    assert "lines, which -v shows\n" in shop.cli("runs", "show", run).out.partition("event 1:")[2]
    assert "which -v shows" not in shop.cli("runs", "show", run, "-v").out


def test_the_failure_of_a_child_is_printed_with_its_run(shop: Shop) -> None:
    run = fail(shop, shop.deploy(FAILING), "family")
    cause = shop.cli("runs", "show", run, "--json").json["caused_by"]
    child = cause["child_run_id"]
    assert f"the child {child} of {shop.name}.order failed:\n" in shop.cli("runs", "show", run).out
    assert shop.cli("runs", "show", child, "--json").json["caused_by"]["name"] == f"{shop.name}.charge"


@pytest.mark.parametrize(("workflow", "repeats"), [("caught", False), ("renamed", True)])
def test_only_an_error_that_repeats_a_failure_is_caused_by_it(
    shop: Shop, workflow: str, repeats: bool
) -> None:
    run = fail(shop, shop.deploy(FAILING), workflow)
    shown = shop.cli("runs", "show", run, "--json").json
    assert (shown["error"]["type"], shown["caused_by"] is not None) == ("ValueError", repeats)


def failed(seq: int, **payload: Any) -> Event:
    """Return the failure of an activity."""
    return Event(seq, "activity_failed", "charge", payload, at(0))


def test_the_latest_failure_that_the_error_repeats_is_its_cause() -> None:
    history = [
        failed(1, type="OSError", message="no", traceback="one"),
        failed(3, type="OSError", message="no", traceback="two"),
        failed(5, type="KeyError", message="'x'", traceback="three"),
        failed(7, body="cannot be read"),
    ]
    cause = cause_of(RunError("ActivityError", "charge failed on attempt 1: OSError: no", ""), history)
    assert cause is not None
    assert (cause.event, cause.traceback) == (3, "two")
    assert cause_of(None, history) is None
    silent = [failed(1, type="OSError", message="", traceback="")]
    assert (
        cause_of(RunError("ActivityError", "charge failed on attempt 1: OSError: ", ""), silent) is not None
    )


def test_a_shortened_traceback_keeps_its_first_line_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [str(number) for number in range(LINES_SHOWN + 5)]
    for whole in (True, False):
        print_tracebacks(RunError("E", "", "\n".join(lines)), None, whole=whole)
        printed = capsys.readouterr().out.splitlines()[1:]
        cut = [lines[0], "  … 6 lines, which -v shows", *lines[7:]]
        assert printed == (lines if whole else cut)
    assert len(cut) == LINES_SHOWN
