"""The results as tables: a title, headings and rows of text, for the terminal and for the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.hops import HOPS
from bench.peers import tables as peers
from bench.sections import SECTIONS
from bench.targets import verdicts

Results = dict[str, Any]
# Calls of a run: at least as many as this, on average.
OFTEN = 0.2
Row = tuple[str, ...]
Rows = list[Row]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text."""

    title: str
    headings: Row
    rows: Rows


def figures_to_reach(results: Results) -> Table:
    """Return each target with the measured figure."""
    rows: Rows = [
        (
            each.figure,
            each.target,
            each.measured,
            "yes" if each.reached else "**missed**",
            f"`{each.section}`",
        )
        for each in verdicts(results["sections"])
    ]
    return Table("Figures to reach", ("figure", "target", "measured", "reached", "section"), rows)


def tables(results: Results) -> Iterator[Table]:
    """Return the tables of each measured section."""
    for name, figures in results["sections"].items():
        headings, rows = _ROWS[name](figures)
        title = SECTIONS[name].title
        yield Table(title, headings, rows)
        for what, more in _MORE.get(name, {}).items():
            yield Table(f"{title}: {what}", *more(figures))


def _throughput(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (
            steps,
            f"{row['runs']:,}",
            f"{row['floor_runs_per_second']:,.0f}",
            f"{row['engine_runs_per_second']:,.0f}",
            f"{row['engine_steps_per_second']:,.0f}" if int(steps) else "",
            f"{row['ratio'] * 100:.0f} %",
        )
        for steps, row in figures.items()
    ]
    return ("steps", "runs", "floor runs/s", "engine runs/s", "engine steps/s", "engine ÷ floor"), rows


def _times(name: str, row: Results) -> Row:
    sides = ("floor", "client_floor", "engine")
    ends = (f"{row[f'{side}_{end}_ms']:.2f}" for side in sides for end in ("p50", "p99"))
    return (name, *ends, f"{row['ratio']:.2f} times")


_TIME_HEADINGS = (
    "floor p50 ms",
    "floor p99 ms",
    "with a client p50 ms",
    "with a client p99 ms",
    "engine p50 ms",
    "engine p99 ms",
    "engine ÷ floor",
)


def _latency(figures: Results) -> tuple[Row, Rows]:
    return ("steps", *_TIME_HEADINGS), [_times(steps, row) for steps, row in figures.items()]


def _signals(figures: Results) -> tuple[Row, Rows]:
    return ("", *_TIME_HEADINGS), [_times("signal to result", figures)]


def _steps(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (f"{int(steps):,}", f"{row['step_us']:,.0f}", f"{row['step_cpu_us']:,.0f}")
        for steps, row in figures.items()
        if isinstance(row, dict)
    ]
    ratios = (figures["longest_over_shortest"], figures["longest_over_shortest_cpu"])
    rows.append(("longest ÷ shortest", *(f"{ratio:.2f}" for ratio in ratios)))
    return ("steps of the run", "µs a step", "µs CPU a step"), rows


def _recovery(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        ("runs in flight", f"{figures['runs_in_flight']:,}"),
        ("of them owned by the killed host", f"{figures['owned_by_the_dead']:,.0f}"),
        ("kill to first resumed progress", f"{figures['first_progress_ms']:,.0f} ms"),
        ("the same, worst round", f"{figures['first_progress_ms_worst']:,.0f} ms"),
        ("kill to all of its runs resumed", f"{figures['all_resumed_ms']:,.0f} ms"),
        ("kill to every run completed", f"{figures['all_done_ms']:,.0f} ms"),
    ]
    return ("", "median"), rows


def _model(figures: Results) -> tuple[Row, Rows]:
    events = f"{figures['events']:,} events"
    rows: Rows = [
        ("scan of a workflow", f"{figures['scan_ms']:.2f} ms"),
        ("the same, and its module read for the first time", f"{figures['scan_first_ms']:.2f} ms"),
        ("hash of a workflow's content", f"{figures['hash_ms']:.2f} ms"),
        ("making a run's loop", f"{figures['loop_us']:.1f} µs"),
        (f"replay of {events}, from memory", f"{figures['events_per_second']:,.0f} events/s"),
    ]
    for kind in ("activities", "readings"):
        resumed = figures[f"resume_{kind}"]
        rows.append((f"resume of {events} ({kind})", f"{resumed['events_ms']:,.0f} ms"))
        rows.append(("the same from a snapshot", f"{resumed['snapshot_ms']:,.0f} ms"))
        rows.append(("events ÷ snapshot", f"{resumed['ratio']:.1f}"))
    return ("", "median"), rows


def _memory(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (
            kind,
            f"{figures[f'{kind}_bytes_per_run']:,.0f}",
            *(f"{size:.1f}" for size in figures[f"{kind}_host_mib"]),
        )
        for kind in ("live", "evicted")
    ]
    runs = figures["runs"]
    loads = (f"with {times * runs:,} runs" for times in (1, 2, 3))
    return ("", "bytes a run", "host MiB, empty", *loads), rows


def _idle(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        ("queries a second", f"{figures['queries_per_second']:.2f}"),
        ("processor, all processes", f"{figures['cpu_percent']:.2f} %"),
        ("processes", str(figures["processes"])),
        ("watched for", f"{figures['seconds']:.0f} s"),
        ("counted in", figures["counted_in"]),
    ]
    rows[2:2] = [
        ("statements a second without LISTEN", f"{figures['queries_without_listen']:.2f}"),
        ("processor without LISTEN", f"{figures['cpu_without_listen']:.2f} %"),
    ]
    return ("", "measured"), rows


def _waiters(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (when, *(f"{row[name]:.2f}" for name in ("client_ms", "p50_ms", "p99_ms")))
        for when, row in figures.items()
    ]
    return ("a no-op run by itself", "CPU of the client ms", "p50 ms", "p99 ms"), rows


def _lone(figures: Results) -> tuple[Row, Rows]:
    parts = ("hosts_ms", "server_ms", "client_ms", "cpu_ms")
    rows: Rows = [
        (
            hosts,
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['floor_p50_ms']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['statements']:.1f}",
            *(f"{row[part]:.1f}" for part in parts),
        )
        for hosts, row in figures.items()
    ]
    headings = (
        "hosts",
        "p50 ms",
        "p99 ms",
        "floor with a client p50 ms",
        "÷ floor",
        "statements",
        "CPU of hosts ms",
        "server ms",
        "client ms",
        "all ms",
    )
    return headings, rows


def _hops(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (hop, *(_milliseconds(row["hops"].get(hop)) for row in figures.values()))
        for hop in HOPS
        if any(hop in row["hops"] for row in figures.values())
    ]
    for title, name in (("start to result, with marks", "whole_ms"), ("without marks", "p50_ms")):
        rows.append((title, *(_milliseconds(row[name]) for row in figures.values())))
    return ("ms, medians", *map(_node, figures)), rows


def _hop_counts(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [("statements", *(f"{row['statements']:.1f}" for row in figures.values()))]
    calls = dict.fromkeys(call for row in figures.values() for call in row["calls"])
    rows += [
        (call, *(_number(row["calls"].get(call, 0.0)) for row in figures.values()))
        for call in calls
        # Those that a timer makes now and then do not belong to a run.
        if any(row["calls"].get(call, 0.0) >= OFTEN for row in figures.values())
    ]
    for kind, title in (("wake_ups", "wake-ups"), ("preemptions", "preemptions")):
        for part in ("client", "hosts", "server"):
            rows.append((f"{title}, {part}", *(_number(row[kind][part]) for row in figures.values())))
    return ("for each run", *map(_node, figures)), rows


def _growth(figures: Results) -> tuple[Row, Rows]:
    reads = next(iter(figures.values()))["reads"]
    rows: Rows = [(read, *(_read(row["reads"][read]) for row in figures.values())) for read in reads]
    rows.append(("a no-op run by itself, ms", *(f"{row['lone_ms']:.1f}" for row in figures.values())))
    return ("ms / pages; (refused)", *(f"{int(runs):,} runs" for runs in figures)), rows


def _growing_work(figures: Results) -> tuple[Row, Rows]:
    work = next(iter(figures.values()))["work"]
    rows: Rows = [(name, *(f"{row['work'][name]:,.2f}" for row in figures.values())) for name in work]
    return ("", *(f"{int(runs):,} runs" for runs in figures)), rows


def _updates(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [
        (f"{int(runs):,}", f"{row['updates']:,}", f"{row['hot']:,}", f"{row['share'] * 100:.1f} %")
        for runs, row in figures.items()
    ]
    return ("runs", "updates", "of them HOT", "HOT of those that leave the owner"), rows


def _bulk(figures: Results) -> tuple[Row, Rows]:
    headings = ("runs", "each once", "cancels a second", "p99 of others before, ms", "p99 meanwhile, ms")
    each_once = "yes" if figures["each_once"] else "no"
    row = (f"{figures['runs']:,}", each_once, f"{figures['per_second']:,.0f}", *_p99s(figures))
    return headings, [row]


def _stopped(figures: Results) -> tuple[Row, Rows]:
    headings, (row,) = _bulk(figures)
    return (*headings, "undone and ended a second"), [(*row, f"{figures['ends_per_second']:,.0f}")]


def _sweep(figures: Results) -> tuple[Row, Rows]:
    headings = ("runs", "removed a second", "p99 of others before, ms", "p99 meanwhile, ms")
    return headings, [(f"{figures['runs']:,}", f"{figures['per_second']:,.0f}", *_p99s(figures))]


def _pauses(figures: Results) -> tuple[Row, Rows]:
    headings = (
        "paused",
        "first of the others, ms",
        "all others, ms",
        "part of a claim, ms",
        "longest",
        "nothing to claim, ms",
        "resume, ms",
        "part afterwards, ms",
        "longest",
    )
    columns = (
        "first_ms",
        "others_ms",
        "part_ms",
        "longest_part_ms",
        "nothing_ms",
        "resume_ms",
        "resumed_part_ms",
        "longest_resumed_part_ms",
    )
    rows: Rows = [
        (paused, *(f"{row[column]:,.0f}" for column in columns)) for paused, row in figures["paused"].items()
    ]
    return headings, rows


def _observer(figures: Results) -> tuple[Row, Rows]:
    columns = ("first_ms", "p50_ms", "p95_ms", "kilobytes", "troubles")
    rows: Rows = [
        (path, *(f"{row[column]:,.0f}" for column in columns)) for path, row in figures["pages"].items()
    ]
    return ("page", "first ms", "p50 ms", "p95 ms", "KB", "parts missing"), rows


def _p99s(figures: Results) -> tuple[str, str]:
    return f"{figures['p99_before_ms']:.1f}", f"{figures['p99_during_ms']:.1f}"


def _timers(figures: Results) -> tuple[Row, Rows]:
    columns = ("p50_ms", "p99_ms", "most_ms", "per_second", "hosts_us", "server_us")
    rows: Rows = [(name, *(f"{row[column]:,.0f}" for column in columns)) for name, row in figures.items()]
    return ("runs", "p50 ms late", "p99 ms", "most ms", "a second", "CPU of hosts µs", "server µs"), rows


def _read(cost: Results) -> str:
    milliseconds = f"{cost['ms']:,.1f}" if cost["ms"] >= 1 else f"{cost['ms']:.2f}"
    text = f"{milliseconds} / {cost['pages']:,}"
    return f"({text})" if cost["refused"] else text


def _node(hosts: str) -> str:
    return {"0": "node in the caller's process", "1": "1 host"}.get(hosts, f"{hosts} hosts")


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _number(value: float) -> str:
    return f"{value:.1f}" if value else ""


def _woken(figures: Results) -> tuple[Row, Rows]:
    rows: Rows = [(name, f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}") for name, row in figures.items()]
    return ("", "p50 ms", "p99 ms"), rows


def _startup(figures: Results) -> tuple[Row, Rows]:
    hosts = f"node of {figures['hosts']} run hosts"
    rows: Rows = [
        (name, f"{figures[f'{key}_ms']:,.0f}")
        for name, key in (
            ("python, without anything", "python"),
            ("import asyncio", "asyncio"),
            ("import continuum", "continuum"),
            ("continuum start", "start"),
            (f"{hosts}: the first run has ended", "accepts"),
            (f"{hosts}: all processes are ready", "ready"),
        )
    ]
    return ("", "ms, median"), rows


_ROWS = {
    "throughput": _throughput,
    "node": _throughput,
    "latency": _latency,
    "signals": _signals,
    "lone": _lone,
    "waiters": _waiters,
    "hops": _hops,
    "parked": _woken,
    "children": _woken,
    "steps": _steps,
    "recovery": _recovery,
    "model": _model,
    "memory": _memory,
    "idle": _idle,
    "startup": _startup,
    "growth": _growth,
    "bulk": _bulk,
    "stopped": _stopped,
    "sweep": _sweep,
    "pauses": _pauses,
    "observer": _observer,
    "timers": _timers,
    "updates": _updates,
    "peers": peers.figures,
}
# Sections with more than one table, each with what its title says.
_MORE: dict[str, dict[str, Callable[[Results], tuple[Row, Rows]]]] = {
    "growth": {"work": _growing_work},
    "hops": {"what each run costs": _hop_counts},
    "peers": {
        "ratios of the same round": peers.ratios,
        "what is missing": peers.missing,
        "settings": peers.settings,
    },
}
