"""Whether the engine has become worse: a few figures that hold on a busy machine, beside recorded ones.

`python -m bench --check` compares with `baseline.json`, `--record-baseline` writes that. Counts of
statements and round trips are nearly exact anywhere. Everything else is a ratio to the floor, measured in
turn, the median of some pairs; it has a wide tolerance. A figure that is worse than allowed is measured
again: noise goes away, and the best of three counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.database import Server, fresh_schema
from bench.hops import calls_of_a_run, statements_of_a_run
from bench.processes import run_program
from bench.series import median_ratio, quantile

BASELINE = Path(__file__).resolve().parent / "baseline.json"
Tell = Callable[[str], None]
Figures = dict[str, float]
PAIRS = 3
LONE_RUNS = 60
LONE_HOSTS = 2
STEPS = 10
RUNS = 600
ATTEMPTS = 3
HOW_TO_RECORD = "run python -m bench --record-baseline and say in the commit why it changes"


class Worse(Exception):
    """A figure is worse than its tolerance allows."""


class NoBaseline(Exception):
    """The recorded figures cannot be read."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse a figure may be than the recorded one: by a factor, or by a number."""

    title: str
    factor: float = 1.0
    more: float = 0.0

    def allowed(self, recorded: float) -> float:
        """Return the worst value that passes."""
        return recorded * self.factor + self.more


# Half a statement: a timer's now and then is no part of a run, and one more in each run is a whole one.
_COUNT = 0.5
TOLERANCES = {
    "statements": Tolerance("statements of a lone run, 2 hosts", more=_COUNT),
    "client_trips": Tolerance("round trips of its client", more=_COUNT),
    "host_trips": Tolerance("round trips of its hosts", more=_COUNT),
    "step_cpu": Tolerance("processor time of a step ÷ floor", factor=1.5),
    "step_time": Tolerance("time of a step, many runs at once ÷ floor", factor=1.6),
    "lone_cpu": Tolerance("processor time of a lone run, node in the caller's process ÷ floor", factor=1.6),
    "lone_time": Tolerance("time of it ÷ floor", factor=2.0),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside the recorded one."""

    name: str
    recorded: float
    found: float

    @property
    def allowed(self) -> float:
        """The worst value that passes."""
        return TOLERANCES[self.name].allowed(self.recorded)

    @property
    def passes(self) -> bool:
        """Whether it does."""
        return self.found <= self.allowed


def counts(server: Server) -> Figures:
    """Return how many statements and round trips a run by itself takes, beside a node."""
    calls = calls_of_a_run(server, LONE_HOSTS, LONE_RUNS)
    return {
        "statements": statements_of_a_run(server, LONE_HOSTS, LONE_RUNS),
        "client_trips": calls.get("client: round trips", 0.0),
        "host_trips": calls.get("host: round trips", 0.0),
    }


def steps(server: Server) -> Figures:
    """Return what a step costs, divided by what it costs the floor."""
    taken = _pairs(server, "throughput", {"steps": STEPS, "runs": RUNS})
    return {
        "step_cpu": _ratio(taken, lambda each: float(each["cpu"])),
        "step_time": _ratio(taken, lambda each: float(each["end"] - each["begin"])),
    }


def lone(server: Server) -> Figures:
    """Return what a run by itself takes in one process, divided by the floor."""
    taken = _pairs(server, "latency", {"steps": 0, "runs": LONE_RUNS})
    return {
        "lone_cpu": _ratio(taken, lambda each: float(each["cpu"])),
        "lone_time": _ratio(taken, lambda each: quantile(each["seconds"], 0.5)),
    }


def _ratio(taken: Mapping[str, list[dict[str, Any]]], read: Callable[[dict[str, Any]], float]) -> float:
    """Return the median of the ratios of each pair, engine over floor."""
    return median_ratio(*([read(each) for each in taken[side]] for side in ("engine", "floor")))


def _pairs(server: Server, what: str, given: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    taken: dict[str, list[dict[str, Any]]] = {"floor": [], "engine": []}
    for _ in range(PAIRS):
        for side, rounds in taken.items():
            with fresh_schema(server.dsn) as schema:
                where = {"dsn": server.dsn, "schema": schema, "embedded": True}
                rounds.append(run_program(f"{side}_{what}", **where, **given))
    return taken


MEASURES: tuple[Callable[[Server], Figures], ...] = (counts, steps, lone)


def measured(server: Server) -> Figures:
    """Measure everything once."""
    return {name: value for measure in MEASURES for name, value in measure(server).items()}


def verdicts(found: Mapping[str, float], recorded: Mapping[str, float]) -> Iterator[Verdict]:
    """Return each figure beside the recorded one."""
    for name, value in found.items():
        yield Verdict(name, recorded[name], value)


def checked(server: Server, recorded: Mapping[str, float], tell: Tell) -> list[Verdict]:
    """Measure, and measure again what is worse than allowed; the best of the attempts counts."""
    results: list[Verdict] = []
    for measure in MEASURES:
        best = measure(server)
        for attempt in range(1, ATTEMPTS):
            worse = [each for each in verdicts(best, recorded) if not each.passes]
            if not worse:
                break
            found = f"{worse[0].found:.2f}, at most {worse[0].allowed:.2f} is allowed"
            tell(f"{TOLERANCES[worse[0].name].title} is {found}: measured again ({attempt})")
            best = {name: min(value, best[name]) for name, value in measure(server).items()}
        results += verdicts(best, recorded)
    return results


def read_baseline(path: Path) -> dict[str, float]:
    """Return the recorded figures; `NoBaseline` unless there is one for each figure that is checked."""
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(recorded[name]) for name in TOLERANCES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoBaseline(
            f"{path} has no baseline ({error!r}); run python -m bench --record-baseline"
        ) from None


def write_baseline(path: Path, found: Figures) -> None:
    """Write the figures that later checks compare with."""
    path.write_text(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=1) + "\n")


def show(results: list[Verdict], console: Console) -> None:
    """Print every figure; raise `Worse` if one does not pass."""
    table = Table(title="Beside the recorded figures", title_justify="left")
    for heading in ("less is better", "recorded", "allowed", "now", ""):
        table.add_column(heading)
    for each in results:
        numbers = (f"{value:.2f}" for value in (each.recorded, each.allowed, each.found))
        table.add_row(TOLERANCES[each.name].title, *numbers, "" if each.passes else "worse")
    console.print(table)
    worse = [each for each in results if not each.passes]
    if worse:
        named = "; ".join(
            f"{TOLERANCES[each.name].title} is {each.found:.2f}, at most {each.allowed:.2f} is allowed"
            for each in worse
        )
        raise Worse(f"worse than the baseline: {named}. If that is intended, {HOW_TO_RECORD}")
