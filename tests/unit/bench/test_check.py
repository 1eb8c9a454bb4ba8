"""The check against recorded figures: worse fails, and noise is measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench import check
from bench.__main__ import main
from bench.check import TOLERANCES, NoBaseline, Verdict, Worse
from bench.database import Server

SERVER = Server("", None)
RECORDED = dict.fromkeys(TOLERANCES, 2.0)


def measuring(monkeypatch: pytest.MonkeyPatch, *attempts: dict[str, float]) -> list[str]:
    """Let the check measure these figures, one attempt after the other; return what it tells."""
    following: Iterator[dict[str, float]] = iter(attempts)
    measures: tuple[Callable[[Server], dict[str, float]], ...] = (lambda _: next(following),)
    monkeypatch.setattr(check, "MEASURES", measures)
    return []


def test_one_more_statement_in_each_run_is_worse() -> None:
    assert Verdict("statements", 3.0, 3.4).passes
    assert not Verdict("statements", 3.0, 4.0).passes


def test_a_ratio_has_a_wide_tolerance_and_an_end() -> None:
    assert Verdict("step_time", 3.0, 4.7).passes
    assert not Verdict("step_time", 3.0, 4.9).passes


def test_a_figure_that_becomes_better_passes() -> None:
    assert all(Verdict(name, 2.0, 0.1).passes for name in TOLERANCES)


def test_noise_is_measured_again_and_the_best_attempt_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = measuring(monkeypatch, {"step_time": 9.0}, {"step_time": 2.5})
    (verdict,) = check.checked(SERVER, RECORDED, told.append)
    assert verdict.found == 2.5
    assert told == [
        "time of a step, many runs at once ÷ floor is 9.00, at most 3.20 is allowed: measured again (1)"
    ]


def test_a_figure_that_stays_worse_fails_after_three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = measuring(monkeypatch, {"step_time": 9.0}, {"step_time": 7.0}, {"step_time": 8.0})
    (verdict,) = check.checked(SERVER, RECORDED, told.append)
    assert verdict.found == 7.0
    with pytest.raises(Worse, match=r"is 7\.00, at most 3\.20 is allowed.*--record-baseline"):
        check.show([verdict], Console(quiet=True))


def test_a_baseline_without_one_of_the_figures_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps({"statements": 3.0}))
    with pytest.raises(NoBaseline, match="run python -m bench --record-baseline"):
        check.read_baseline(file)


def test_the_recorded_baseline_has_every_figure_that_is_checked() -> None:
    assert check.read_baseline(check.BASELINE).keys() == TOLERANCES.keys()


def test_a_missing_baseline_is_reported_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--baseline", str(tmp_path / "none.json")]) == 1
    assert "has no baseline" in capsys.readouterr().err


def test_recorded_figures_are_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measuring(monkeypatch, RECORDED)
    file = tmp_path / "baseline.json"
    assert main(["--record-baseline", "--baseline", str(file), "--dsn", "unused"]) == 0
    assert check.read_baseline(file) == RECORDED


@pytest.mark.parametrize(("found", "code"), [(2.0, 0), (9.0, 1)])
def test_the_command_fails_if_a_figure_is_worse(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    found: float,
    code: int,
) -> None:
    file = tmp_path / "baseline.json"
    check.write_baseline(file, RECORDED)
    measuring(monkeypatch, *[dict.fromkeys(TOLERANCES, found)] * check.ATTEMPTS)
    assert main(["--check", "--baseline", str(file), "--dsn", "unused"]) == code
    assert ("is 9.00, at most" in capsys.readouterr().err) == bool(code)
