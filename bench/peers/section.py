"""The section `peers`: every system in turn, several rounds, medians, and ratios within the rounds."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bench.database import Server, durability
from bench.peers.figures import FIGURES, Work
from bench.peers.places import place
from bench.peers.processes import Processes, hosts, program
from bench.peers.systems import SYSTEMS, System
from bench.processes import ProgramFailed
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
LOOK_SECONDS = 0.005
# The end of a system's log, if a figure has failed.
LOG_LINES = 20
KILL_SECONDS = 180.0
# Runs in the middle of their steps: each has begun, none can have ended.
KILL_AFTER_SECONDS = 0.2


def beside_other_engines(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure all systems that are installed, one at a time, in rounds."""
    chosen = [system for system in SYSTEMS if not sizes.systems or system.name in sizes.systems]
    there = [system for system in chosen if system.missing() is None]
    rounds: list[dict[str, Results]] = []
    for number in range(sizes.rounds):
        measured: dict[str, Results] = {}
        # The order turns, so that nobody is always the first.
        for system in there[number % len(there) :] + there[: number % len(there)]:
            begin = time.monotonic()
            measured[system.name] = _measure(system, server, sizes.peers, tell)
            tell(f"round {number + 1}, {system.title}: {time.monotonic() - begin:.0f} s")
        rounds.append(measured)
    columns = {system.name: _column(system, rounds) for system in chosen}
    return {
        "columns": columns,
        "ratios": {system.name: _ratios(system, rounds) for system in there if system.ours},
        "durability": durability(server.dsn),
        "rounds": len(rounds),
        "raw": rounds,
    }


def _measure(system: System, server: Server, work: Work, tell: Tell) -> Results:
    """Return each figure of a system in one round, or why there is none."""
    wanted = {name: each for name, each in work.measures().items() if name not in system.cannot}
    results: dict[str, Results] = {}
    with tempfile.TemporaryDirectory(prefix="continuum-peers-") as directory:
        log = Path(directory) / "log"
        # Memory is measured in new processes: in others a run may take what an earlier one has left.
        apart = {name: wanted.pop(name) for name in ("memory",) if name in wanted}
        for figures in (wanted, apart):
            if figures:
                results |= _measure_together(system, server, figures, log)
        if "killed" not in system.cannot:
            with place(system, server) as given:
                _prepare(system, given, log)
                results["killed"] = _kill(system, given, work, log)
        failed = [f"{name}: {each['failed']}" for name, each in results.items() if "failed" in each]
        if failed:
            tell("\n".join([*failed, *log.read_text(encoding="utf-8").splitlines()[-LOG_LINES:]]))
    return {figure.name: _value(figure.read, results, figure.measure) for figure in FIGURES}


def _measure_together(
    system: System, server: Server, figures: dict[str, dict[str, Any]], log: Path
) -> dict[str, Results]:
    with place(system, server) as given:
        _prepare(system, given, log)
        with hosts(system, given, log) as running:
            asked = {**given, "workers": running.workers(), "figures": _named(figures)}
            with program(system, "measure", asked, log) as measuring:
                return measuring.results(list(figures))


def _prepare(system: System, given: Results, log: Path) -> None:
    with program(system, "prepare", given, log) as preparing:
        preparing.until_ready()


def _named(wanted: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **each} for name, each in wanted.items()]


def _value(read: Callable[[Results], float], results: dict[str, Results], measure: str) -> float | str | None:
    """Return a figure, why it failed, or nothing if the system cannot do it."""
    if measure not in results:
        return None
    failed = results[measure].get("failed")
    return read(results[measure]) if failed is None else str(failed)


def _kill(system: System, given: Results, work: Work, log: Path) -> Results:
    """Kill hosts, and the caller if it is one, in the middle of slow runs; start hosts again at once."""
    marks = log.parent / "marks"
    asked = {**given, "runs": work.killed_runs, "steps": work.killed_steps, "marks": str(marks)}
    try:
        # What is left of the dead is cleared away afterwards, not while their successors are awaited.
        with ExitStack() as stack:
            running = stack.enter_context(hosts(system, given, log))
            beginning = stack.enter_context(program(system, "begin", asked, log))
            beginning.until_ready()
            _until_marked(marks, "begun", work.killed_runs)
            time.sleep(KILL_AFTER_SECONDS)
            doomed = running.pids() if system.hosts else [beginning.process.pid]
            done_before = len(_marked(marks, "done"))
            killed = time.monotonic()
            Processes(lambda: doomed).kill()
            stack.enter_context(hosts(system, given, log))
            if not system.hosts:
                stack.enter_context(program(system, "host", given, log))
            _until_marked(marks, "done", work.killed_runs)
            return {"taken": time.monotonic() - killed, "done_before": done_before}
    except ProgramFailed as failed:
        return {"failed": str(failed)}


def _until_marked(marks: Path, what: str, runs: int) -> None:
    deadline = time.monotonic() + KILL_SECONDS
    while len(_marked(marks, what)) < runs:
        if time.monotonic() > deadline:
            raise ProgramFailed(
                f"after {KILL_SECONDS:.0f} s {len(_marked(marks, what))} of {runs} runs are {what}"
            )
        time.sleep(LOOK_SECONDS)


def _marked(marks: Path, what: str) -> set[str]:
    """Return the runs that have marked this; a step that began again marks twice."""
    if not marks.exists():
        return set()
    lines = (line.split() for line in marks.read_text(encoding="ascii").splitlines())
    return {line[0] for line in lines if line[1:] == [what]}


def _column(system: System, rounds: Sequence[dict[str, Results]]) -> Results:
    """Return the medians of a system, and a reason for each figure that it lacks."""
    missing = system.missing()
    figures: dict[str, Any] = {}
    for figure in FIGURES:
        values = [each[system.name][figure.name] for each in rounds if system.name in each]
        numbers = [value for value in values if isinstance(value, float | int)]
        if numbers:
            figures[figure.name] = {"median": median(numbers), "of": len(numbers)}
        else:
            failed = next((value for value in values if value is not None), None)
            figures[figure.name] = {"why": missing or failed or system.cannot.get(figure.measure, "")}
    return {
        "title": system.title,
        "ours": system.ours,
        "settings": dict(system.settings),
        "durability": system.durability,
        "figures": figures,
    }


def _ratios(ours: System, rounds: Sequence[dict[str, Results]]) -> Results:
    """Return for each other system and figure the median of the rounds' ratios, ours over theirs."""
    ratios: Results = {}
    for other in SYSTEMS:
        if other.ours or any(other.name not in each for each in rounds):
            continue
        ratios[other.name] = {}
        for figure in FIGURES:
            pairs = [(each[ours.name][figure.name], each[other.name][figure.name]) for each in rounds]
            found = [
                mine / theirs
                for mine, theirs in pairs
                if isinstance(mine, float | int) and isinstance(theirs, float | int) and theirs
            ]
            if found:
                ratios[other.name][figure.name] = median(found)
    return ratios
