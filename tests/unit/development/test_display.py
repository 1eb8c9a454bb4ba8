"""What `continuum dev` prints: short, and never as markup."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from continuum.development.check_records import LOOKED_AT_RUNS, CheckedModules, CheckedOpenRuns, LeftRun
from continuum.development.display import NAMED_RUNS, Display


@pytest.fixture
def printed() -> StringIO:
    """What is printed."""
    return StringIO()


@pytest.fixture
def display(printed: StringIO) -> Display:
    """A display that prints into a text."""
    return Display(Console(file=printed, highlight=False, width=80))


def left(number: int, suggestion: str = "") -> LeftRun:
    return LeftRun(f"run-{number}", "shop.order", "event 0: [bold]other[/bold]", suggestion)


def test_texts_of_the_user_are_no_markup(display: Display, printed: StringIO) -> None:
    display.refused("ValueError: [red]no[/red]\n  at shop.py:1: x[0]", serving=True)
    display.open_runs(CheckedOpenRuns([left(1)], 1))
    said = printed.getvalue()
    assert "not loaded: ValueError: [red]no[/red]" in said
    assert "  at shop.py:1: x[0]" in said
    assert "[bold]other[/bold]" in said


def test_a_few_runs_are_named_and_the_others_counted(display: Display, printed: StringIO) -> None:
    display.open_runs(CheckedOpenRuns([left(number, "use patched()") for number in range(30)], 30))
    lines = printed.getvalue().splitlines()
    assert "30 open runs would not continue with this code:" in lines[0]
    assert len([line for line in lines if "run-" in line]) == NAMED_RUNS
    assert f"and {30 - NAMED_RUNS} more" in printed.getvalue()
    assert printed.getvalue().count("use patched()") == 1


def test_nothing_is_said_of_open_runs_that_continue(display: Display, printed: StringIO) -> None:
    display.open_runs(CheckedOpenRuns([], 12))
    assert printed.getvalue() == ""


def test_a_check_that_did_not_look_at_all_runs_says_so(display: Display, printed: StringIO) -> None:
    display.open_runs(CheckedOpenRuns([], LOOKED_AT_RUNS))
    assert f"only {LOOKED_AT_RUNS} open runs were looked at" in printed.getvalue()


def test_many_definitions_are_counted(display: Display, printed: StringIO) -> None:
    names = [f"shop.flow_{number}" for number in range(20)]
    display.definitions(CheckedModules("", names, [], [], {}, None))
    assert "and 12 more" in printed.getvalue()
    assert "  activities none" in printed.getvalue()
