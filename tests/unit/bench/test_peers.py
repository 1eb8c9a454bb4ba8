"""The comparison with other engines: what it measures, sums up and draws, with systems of a few lines."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.__main__ import main
from bench.peers import driver, section, tables
from bench.peers.figures import FIGURES, TINY_WORK
from bench.peers.plot import svg
from bench.peers.processes import NODE_MODULES, Processes
from bench.peers.systems import SYSTEMS, System
from bench.report import BEGIN, END, write_measured_part
from continuum.versions.loaded_code import load_code
from tests.unit.bench.test_bench import bench, results_of

OURS = System("embedded", "ours, in process", "ours", ours=True)
OTHER = System("dbos", "DBOS", "dbos_program", cannot={"memory": "it has none"})


class Instant(driver.Subject):
    """Does everything at once, in memory, and has no children."""

    async def run(self, steps: int) -> int:
        return steps

    async def suspend(self) -> Any:
        return None

    async def signal(self, waiting: Any, value: int) -> int:
        return value

    async def sleep_until(self, due: float) -> float:
        return time.time() - due


class InMemory(driver.Adapter):
    """Yields the same subject always."""

    @asynccontextmanager
    async def subject(self, given: driver.Given) -> AsyncIterator[driver.Subject]:
        yield Instant()

    @asynccontextmanager
    async def host(self, given: driver.Given) -> AsyncIterator[None]:
        yield


def measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what the program of an adapter prints, by figure."""
    monkeypatch.setattr(driver, "SETTLE_SECONDS", 0.0)
    figures = [{"name": name, **each} for name, each in TINY_WORK.measures().items()]
    given = {"figures": figures, "workers": [], "postmaster": os.getpid()}
    monkeypatch.setattr("sys.argv", ["program", "measure", json.dumps(given)])
    driver.main(InMemory())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line.pop("figure"): line for line in lines}


def test_every_figure_can_be_read_from_what_the_same_program_measures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = measured(monkeypatch, capsys)
    read = {figure.name for figure in FIGURES if "failed" not in results.get(figure.measure, {"failed": ""})}
    # A kill is measured from outside, and this system has no children.
    assert read == {figure.name for figure in FIGURES} - {"killed", "children"}
    assert all(
        isinstance(figure.read(results[figure.measure]), float) for figure in FIGURES if figure.name in read
    )


def test_a_figure_that_a_system_cannot_do_fails_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(monkeypatch, capsys)["children"]["failed"].startswith("CannotDo")


def test_a_wrong_result_is_no_measurement() -> None:
    class Wrong(Instant):
        async def run(self, steps: int) -> int:
            return steps + 1

    with pytest.raises(AssertionError, match="ended with 3 instead of 2"):
        asyncio.run(driver.latency(Wrong(), {"steps": 2, "runs": 1}))


def test_a_mark_that_is_written_twice_counts_once(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    for number, what in ((1, "begun"), (1, "begun"), (2, "begun"), (1, "done")):
        driver.mark(str(marks), number, what)
    assert section._marked(marks, "begun") == {"1", "2"}
    assert section._marked(marks, "done") == {"1"}


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "SYSTEMS", (OURS, OTHER))
    pairs = ((1.0, 2.0), (9.0, 3.0), (4.0, 4.0))
    rounds = [
        {
            "embedded": {figure.name: mine for figure in FIGURES},
            "dbos": {figure.name: theirs for figure in FIGURES},
        }
        for mine, theirs in pairs
    ]
    assert section._ratios(OURS, rounds)["dbos"]["noop_p50"] == 1.0


def test_a_round_without_a_figure_leaves_it_out_of_the_median_and_keeps_the_reason() -> None:
    numbers: dict[str, Any] = {figure.name: 1.0 for figure in FIGURES}
    rounds = [
        {"dbos": {**numbers, "killed": "took too long", "timers": "took too long", "memory": None}},
        {"dbos": {**numbers, "killed": "took too long", "timers": 3.0, "memory": None}},
    ]
    figures = section._column(OTHER, rounds)["figures"]
    assert figures["timers"] == {"median": 3.0, "of": 1}
    assert figures["killed"] == {"why": "took too long"}
    assert figures["memory"] == {"why": "it has none"}


def results() -> dict[str, Any]:
    """Return results of a comparison: one of ours, one that lacks a figure, one that is not installed."""
    whole: dict[str, Any] = {figure.name: {"median": 2.0, "of": 1} for figure in FIGURES}
    lacking = {**whole, "memory": {"why": "it has <none>"}}
    absent = {figure.name: {"why": "not installed"} for figure in FIGURES}
    columns = {
        name: {
            "title": name,
            "ours": name == "embedded",
            "settings": {"a": 1},
            "durability": "x",
            "figures": each,
        }
        for name, each in (("embedded", whole), ("dbos", lacking), ("absurd", absent))
    }
    ratios = {"embedded": {"dbos": {figure.name: 0.5 for figure in FIGURES if figure.name != "memory"}}}
    return {"columns": columns, "ratios": ratios, "durability": {"fsync": "on"}}


def test_the_comparison_has_marks_of_its_own_in_the_file_of_results(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    begin, end = (mark.replace(":", " peers:") for mark in (BEGIN, END))
    file.write_text(f"{BEGIN}\nkept\n{END}\n{begin}\nold\n{end}\n")
    write_measured_part(results_of({"peers": results()}), file)
    text = file.read_text()
    assert "kept" in text
    assert "old" not in text
    assert "### Beside other engines: what is missing" in text
    assert "(peers.svg)" in text


def test_a_blank_cell_has_its_reason_in_another_table() -> None:
    headings, rows = tables.figures(results())
    assert headings == ("medians", "embedded", "dbos", "absurd")
    assert rows[-1] == ("memory of a suspended live run, KiB", "2.0", "", "")
    assert tables.missing(results())[1] == [
        ("dbos", "memory of a suspended live run", "it has <none>"),
        ("absurd", "all", "not installed"),
    ]


def test_ratios_name_only_systems_that_were_measured() -> None:
    headings, rows = tables.ratios(results())
    assert headings == ("ours (embedded) ÷", "dbos")
    assert rows[0] == ("no-op, start to result, p50", "0.50")
    assert rows[-1] == ("memory of a suspended live run", "")


def test_without_anything_of_ours_there_are_no_ratios() -> None:
    assert tables.ratios({**results(), "ratios": {}})[1] == []


def test_settings_say_what_makes_commits_durable() -> None:
    assert tables.settings(results())[1][-1] == ("Postgres", "fsync on", "")


def test_the_picture_has_a_bar_or_a_reason_for_each_system_and_figure() -> None:
    picture = ElementTree.fromstring(svg(results()))
    kind = "{http://www.w3.org/2000/svg}"
    # One rectangle is the background.
    assert len(picture.findall(f".//{kind}rect")) - 1 == 2 * len(FIGURES) - 1
    texts = [text.text for text in picture.iter(f"{kind}text")]
    assert "it has <none>" in texts
    assert texts.count("not installed") == len(FIGURES)


def test_a_killed_process_leaves_no_zombie() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    Processes(lambda: [child.pid]).kill()
    assert not Path(f"/proc/{child.pid}").exists()
    child.wait()


def test_every_system_has_a_program_and_unlike_names() -> None:
    programs = Path(section.__file__).parent / "programs"
    assert all((programs / f"{system.program}.py").exists() for system in SYSTEMS)
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)


def test_one_node_loads_the_workflows_of_the_bench_and_those_of_the_comparison() -> None:
    assert {"steps_in_a_row", "marked_slow_steps"} <= set(load_code(NODE_MODULES).workflows)


def test_an_unknown_system_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["peers", "--systems", "floor,oracle"])
    assert "there is no system 'oracle'; choose from" in capsys.readouterr().err


@pytest.mark.slow
def test_the_floor_is_compared_with_a_node_in_the_callers_process(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "peers.json"
    chosen = ("--systems", "floor,embedded", "--size", "tiny")
    ended = bench("peers", *chosen, "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(written.read_text())["sections"]["peers"]
    assert list(figures["columns"]) == ["floor", "embedded"]
    embedded = figures["columns"]["embedded"]["figures"]
    assert [name for name, each in embedded.items() if "why" in each] == []
    assert written.with_name("peers.svg").exists()
