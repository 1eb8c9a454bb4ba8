"""The bench itself: it runs, and what it writes can be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import ORDINARY
from bench.database import durability
from bench.report import BEGIN, END, NoMeasuredPart, write_measured_part
from bench.sections import SECTIONS
from bench.series import median_ratio, quantile
from bench.tables import tables
from bench.targets import verdicts

ROOT = Path(__file__).resolve().parents[3]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bench in a process of its own and return how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_bench_writes_what_it_measured_as_json(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench(
        "throughput", "latency", "signals", "model", "--size", "tiny", "--dsn", dsn, "--json", str(written)
    )
    assert ended.returncode == 0, ended.stderr
    results = json.loads(written.read_text())
    assert list(results["sections"]) == ["throughput", "latency", "signals", "model"]
    assert results["machine"]["durability"] == durability(dsn)
    assert results["sections"]["throughput"]["0"]["ratio"] > 0
    for figures in (results["sections"]["latency"]["2"], results["sections"]["signals"]):
        assert figures["client_floor_p50_ms"] > 0


def test_a_kill_in_the_bench_ends_with_every_run_completed(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("recovery", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(written.read_text())["sections"]["recovery"]
    assert 0 < figures["first_progress_ms"] <= figures["all_done_ms"]


def test_the_bench_measures_lone_runs_beside_a_node(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("lone", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    lone = json.loads(written.read_text())["sections"]["lone"]
    assert list(lone) == ["1"]
    assert lone["1"]["floor_p50_ms"] > 0


def test_the_bench_measures_signals_and_families_beside_a_node(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("parked", "children", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    sections = json.loads(written.read_text())["sections"]
    assert list(sections["parked"]) == ["1 hosts, live", "1 hosts, evicted"]
    assert list(sections["children"]) == ["1 hosts"]


def test_the_bench_measures_runs_beside_many_waits(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("waiters", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    waiters = json.loads(written.read_text())["sections"]["waiters"]
    assert list(waiters) == ["before", "with 30 waits", "afterwards"]
    assert all(row["client_ms"] > 0 for row in waiters.values())


def test_a_node_in_the_bench_executes_a_run_that_waited_for_it(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("startup", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(written.read_text())["sections"]["startup"]
    assert figures["accepts_ms"] > 0 < figures["ready_ms"]


def test_lateness_of_timers_is_measured_in_memory_and_evicted(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("timers", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(written.read_text())["sections"]["timers"]
    assert list(figures) == ["20 live", "20 evicted"]
    assert all(each["most_ms"] >= each["p50_ms"] > 0 for each in figures.values())


def test_updates_of_parked_runs_are_counted(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("updates", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    (figures,) = json.loads(written.read_text())["sections"]["updates"].values()
    assert 0.5 < figures["share"] <= 1


def test_reads_are_measured_beside_parked_runs(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("growth", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    (figures,) = json.loads(written.read_text())["sections"]["growth"].values()
    assert all(read["pages"] > 0 for read in figures["reads"].values())
    assert all(figure > 0 for figure in figures["work"].values())


def test_a_read_that_is_refused_is_in_brackets() -> None:
    reads = [
        {"a list": {"ms": 1.26, "pages": 30, "refused": False}},
        {"a list": {"ms": 0.052, "pages": 5_000, "refused": True}},
    ]
    few = {"reads": reads[0], "lone_ms": 2.0, "work": {"a claim, ms": 0.5}}
    many = {"reads": reads[1], "lone_ms": 2.5, "work": {"a claim, ms": 1_000.0}}
    table, work = tables(results_of({"growth": {"10000": few, "1000000": many}}))
    assert work.rows == [("a claim, ms", "0.50", "1,000.00")]
    assert table.headings == ("ms / pages; (refused)", "10,000 runs", "1,000,000 runs")
    assert table.rows == [
        ("a list", "1.3 / 30", "(0.05 / 5,000)"),
        ("a no-op run by itself, ms", "2.0", "2.5"),
    ]


def test_an_unknown_section_is_reported_and_nothing_is_measured(tmp_path: Path) -> None:
    ended = bench("speed", "--json", str(tmp_path / "results.json"))
    assert ended.returncode == 2
    assert "there is no section 'speed'; choose from" in ended.stderr


def test_a_section_on_request_is_measured_only_if_it_is_named() -> None:
    assert "peers" in SECTIONS
    assert "peers" not in ORDINARY


def test_writing_results_keeps_the_prose(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_measured_part(results_of({"idle": IDLE}), file)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "Postgres 18.0 on the same machine (fsync on, synchronous_commit off)" in text
    assert "| queries a second | 0.50 |" in text


def test_a_file_without_a_place_for_the_results_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("prose\n")
    with pytest.raises(NoMeasuredPart, match="has no lines"):
        write_measured_part(results_of({}), file)
    assert file.read_text() == "prose\n"


def test_a_figure_beyond_its_target_is_missed() -> None:
    judged = {each.figure: each.reached for each in verdicts({"idle": {**IDLE, "cpu_percent": 1.5}})}
    assert judged == {
        "idle node, queries": True,
        "idle node without LISTEN, statements": True,
        "idle node, processor": False,
    }


def test_statements_of_a_run_are_judged_by_the_node_that_takes_the_most() -> None:
    lone = {"1": {"statements": 3.0, "cpu_ms": 2.0}, "8": {"statements": 6.1, "cpu_ms": 9.0}}
    judged = {each.figure: (each.measured, each.reached) for each in verdicts({"lone": lone})}
    # Without a node of two hosts nothing is said about its processor time.
    assert judged == {"single no-op run beside nodes of any size, statements": ("6.1", False)}


def test_the_ratio_of_two_series_is_the_median_of_their_pairs() -> None:
    assert median_ratio([1.0, 9.0, 4.0], [2.0, 3.0, 4.0]) == 1.0


def test_a_high_quantile_of_few_values_is_the_largest() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0


IDLE = {
    "queries_per_second": 0.5,
    "cpu_percent": 0.5,
    "queries_without_listen": 1.5,
    "cpu_without_listen": 0.5,
    "processes": 6,
    "seconds": 20.0,
    "counted_in": "the server's log",
}


def results_of(sections: dict[str, object]) -> dict[str, object]:
    """Return results as the bench makes them."""
    machine = {
        "cores": 2,
        "cpu": "a processor",
        "memory_gib": 8.0,
        "system": "Linux",
        "python": "3.11.0",
        "postgres": "18.0",
        "durability": {"fsync": "on", "synchronous_commit": "off"},
        "psycopg": "3.3",
        "load_before": 0.1,
    }
    return {"machine": machine, "command": "python -m bench", "rounds": 3, "sections": sections}
