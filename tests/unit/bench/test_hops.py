"""The hops of a run, from marks: each in its place, and nothing lost where one does not happen."""

from __future__ import annotations

import json
from pathlib import Path

from bench.hops import HOPS, hops_of
from bench.switches import Switches
from bench.tables import tables
from bench.trace_points import Mark, Trace, marks
from tests.unit.bench.test_bench import bench, results_of

CLIENT, HOST, OTHER = 1, 2, 3


def run(*parts: tuple[int, int, str, str]) -> list[Mark]:
    """Return the marks of a run that begins at 0 and has its result at 100."""
    inner = [Mark(*part) for part in parts]
    return [Mark(0, CLIENT, "start", ""), *inner, Mark(100, CLIENT, "result", "")]


WHOLE = (
    (10, CLIENT, "called", "start"),
    (24, OTHER, "heard", "work"),
    (25, HOST, "heard", "started"),
    (26, OTHER, "called", "claim"),
    (27, HOST, "called", "claim"),
    (35, HOST, "returned", "claim"),
    (40, HOST, "called", "commit"),
    (60, CLIENT, "heard", "done"),
    (65, HOST, "returned", "commit"),
    (80, CLIENT, "returned", "ended"),
)


def test_each_hop_ends_with_a_mark_of_the_process_that_took_it() -> None:
    hops = hops_of(run(*WHOLE), CLIENT)
    assert list(hops.items()) == list(zip(HOPS, (10, 15, 10, 5, 20, 20, 20), strict=True))


def test_the_time_of_a_hop_that_does_not_happen_is_in_the_next_one() -> None:
    without = [part for part in WHOLE if part[2:] not in {("heard", "started"), ("returned", "ended")}]
    hops = hops_of(run(*without), CLIENT)
    assert "start commits, host hears" not in hops
    assert "client reads the row" not in hops
    assert (hops["host claims"], hops["client decodes"]) == (25, 40)
    assert sum(hops.values()) == 100


def test_a_claim_after_the_write_is_of_something_else() -> None:
    late = [part for part in WHOLE if part[2:] != ("returned", "claim")]
    hops = hops_of(run(*late, (70, HOST, "returned", "claim")), CLIENT)
    assert "host claims" not in hops
    assert hops["host decodes, runs the code, packs"] == 15


def test_a_node_in_the_callers_process_ends_a_run_with_its_commit() -> None:
    hops = hops_of(run((10, CLIENT, "called", "commit"), (30, CLIENT, "returned", "commit")), CLIENT)
    assert hops == {
        "host decodes, runs the code, packs": 10,
        "end commits, client hears": 20,
        "client decodes": 70,
    }


def test_marks_of_several_processes_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    file.write_text("30 2 called commit\n10 1 start \n")
    assert [mark.what for mark in marks(file)] == ["", "commit"]
    Trace(str(file)).mark("heard", "done")
    assert [mark.kind for mark in marks(file)] == ["start", "called", "heard"]


def test_switches_are_those_since_an_earlier_reading() -> None:
    assert Switches(9, 4).since(Switches(5, 1)) == Switches(4, 3)


def test_the_bench_measures_the_hops_of_runs_of_a_node(dsn: str, tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    ended = bench("hops", "--size", "tiny", "--dsn", dsn, "--json", str(written))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(written.read_text())["sections"]["hops"]
    assert list(figures) == ["0", "1", "2"]
    for row in figures.values():
        assert {"host decodes, runs the code, packs", "end commits, client hears"} <= set(row["hops"])
        assert row["wake_ups"]["server"] > 0


def test_a_hop_that_one_node_lacks_is_blank_there() -> None:
    def figures(hops: dict[str, float]) -> dict[str, object]:
        switches = {"client": 1.0, "hosts": 0.0, "server": 2.0}
        return {
            "hops": hops,
            "whole_ms": 2.0,
            "p50_ms": 1.5,
            "statements": 3.0,
            "calls": {"client: start": 1.0, "host: next_due": 0.01},
            "wake_ups": switches,
            "preemptions": switches,
        }

    sections: dict[str, object] = {
        "hops": {"0": figures({"client encodes": 0.1}), "2": figures({"host claims": 0.5})}
    }
    hops, counts = tables(results_of(sections))
    assert hops.headings == ("ms, medians", "node in the caller's process", "2 hosts")
    assert hops.rows[:2] == [("client encodes", "0.10", ""), ("host claims", "", "0.50")]
    assert ("client: start", "1.0", "1.0") in counts.rows
    assert not any("next_due" in row[0] for row in counts.rows)
