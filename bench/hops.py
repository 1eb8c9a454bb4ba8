"""The hops of a run by itself: what happens between its start and its result, and how long each takes.

Each process marks what it does with its journal, in a measurement of its own. Statements, and the context
switches of all processes, are counted in others, without marks. A hop that does not happen has no row (a host
that is handed a run claims none, a result that comes with the notification is not read): its time is
in the next one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import node, run_program
from bench.sizes import Sizes
from bench.statements import counted_statements, postmaster
from bench.switches import Switches
from bench.trace_points import CALLED, HEARD, RESULT, RETURNED, START, TRIP, VARIABLE, Mark, marks

Results = dict[str, Any]
Tell = Callable[[str], None]
# Run hosts of the nodes; none is a node in the caller's process.
HOSTS = (0, 1, 2)
WARM_UP_RUNS = 30
# What tells a host of a start.
OF_WORK = ("started", "work")
HOPS = (
    "client encodes",
    "start commits, host hears",
    "host claims",
    "host decodes, runs the code, packs",
    "end commits, client hears",
    "client reads the row",
    "client decodes",
)


def of_a_lone_run(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure no-op runs one after the other with a node in the caller's process, of one host and of two."""
    results: Results = {}
    for hosts in HOSTS:
        figures = {**_traced(server, hosts, sizes.lone_runs), **_counted(server, hosts, sizes.lone_runs)}
        results[str(hosts)] = figures
        hops = ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in figures["hops"].items())
        tell(f"{hosts or 'embedded'}: {hops}; {figures['statements']:.1f} statements")
    return results


class _Place:
    """Where runs are measured: beside a node of so many hosts, or with a node in each measuring process."""

    def __init__(self, server: Server, schema: str | None, pids: list[int]) -> None:
        self._server = server
        self._schema = schema
        self.pids = pids

    def run(self, runs: int, count: Callable[[], int] = int, **given: Any) -> Results:
        """Measure so many runs; `statements` are those that `count` counted meanwhile."""
        with ExitStack() as stack:
            # A start would still be announced to a node whose process has ended.
            schema = self._schema or stack.enter_context(fresh_schema(self._server.dsn))
            where = {"dsn": self._server.dsn, "schema": schema, "embedded": self._schema is None}
            before = count()
            done = run_program("engine_hops", runs=runs, **{"trace": None, **where, **given})
            return {**done, "statements": count() - before}


@contextmanager
def _place(server: Server, hosts: int, trace: str | None) -> Iterator[_Place]:
    if not hosts:
        yield _Place(server, None, [])
        return
    settings: dict[str, Any] = {"run_hosts": hosts}
    if trace is not None:
        settings |= {"modules": ["bench.traced_flows"], "variables": {VARIABLE: trace}}
    with fresh_schema(server.dsn) as schema, node(server.dsn, schema, **settings) as running:
        place = _Place(server, schema, running.pids())
        place.run(WARM_UP_RUNS)
        yield place


def _traced(server: Server, hosts: int, runs: int) -> Results:
    """Return the milliseconds of each hop, and the calls and round trips of a run."""
    each, client = _marked_runs(server, hosts, runs)
    taken: dict[str, list[int]] = {name: [] for name in HOPS}
    for run in each:
        for name, nanoseconds in hops_of(run, client).items():
            taken[name].append(nanoseconds)
    return {
        # One that few runs have taken is an accident.
        "hops": {name: median(found) / 1e6 for name, found in taken.items() if len(found) * 2 > len(each)},
        "whole_ms": median(run[-1].at - run[0].at for run in each) / 1e6,
        "calls": calls_of(each, client),
    }


def calls_of_a_run(server: Server, hosts: int, runs: int) -> dict[str, float]:
    """Return the calls of the journal and the round trips of a run by itself, of the client and the hosts."""
    return calls_of(*_marked_runs(server, hosts, runs))


def calls_of(runs: Sequence[Sequence[Mark]], client: int) -> dict[str, float]:
    """Return how often each thing is called in a run, on average."""
    calls: Counter[str] = Counter()
    for mark in (mark for run in runs for mark in run if mark.kind in (CALLED, TRIP)):
        side = "client" if mark.pid == client else "host"
        calls[f"{side}: {'round trips' if mark.kind == TRIP else mark.what}"] += 1
    return {name: number / len(runs) for name, number in sorted(calls.items())}


def _marked_runs(server: Server, hosts: int, runs: int) -> tuple[list[list[Mark]], int]:
    """Return the marks of each run, and the process of the client."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "marks"
        with _place(server, hosts, str(path)) as place:
            client = int(place.run(runs, trace=str(path))["pid"])
        return list(_runs(list(marks(path)), client)), client


def _runs(all_marks: Sequence[Mark], client: int) -> Iterator[list[Mark]]:
    """Return the marks of each measured run, from the program's own first mark to its last one."""
    bounds = [
        place for place, mark in enumerate(all_marks) if mark.pid == client and mark.kind in (START, RESULT)
    ]
    for begin, end in zip(bounds[::2], bounds[1::2], strict=True):
        yield list(all_marks[begin : end + 1])


def hops_of(run: Sequence[Mark], client: int) -> dict[str, int]:
    """Return the nanoseconds of each hop of a run; the time of one that is missing is in the next."""
    points = {"": run[0].at, HOPS[-1]: run[-1].at}
    for name, found in zip(HOPS[:-1], _ends(run, client), strict=True):
        if found is not None:
            points[name] = found.at
    in_order = sorted(points.items(), key=lambda point: (point[1], ("", *HOPS).index(point[0])))
    return {name: at - before for (_, before), (name, at) in pairwise(in_order)}


def _ends(run: Sequence[Mark], client: int) -> tuple[Mark | None, ...]:
    """Return the mark that ends each hop but the last one, or None where there is none."""

    def first(after: Mark | None, wanted: Callable[[Mark], bool]) -> Mark | None:
        at = run[0].at if after is None else after.at
        return next((mark for mark in run if mark.at >= at and wanted(mark)), None)

    started = first(None, lambda mark: mark.pid == client and (mark.kind, mark.what) == (CALLED, "start"))
    written = first(started, lambda mark: (mark.kind, mark.what) == (CALLED, "commit"))
    host = None if written is None else written.pid
    heard = first(started, lambda mark: mark.pid == host and mark.kind == HEARD and mark.what in OF_WORK)
    claim = first(started, lambda mark: mark.pid == host and (mark.kind, mark.what) == (RETURNED, "claim"))
    if heard is not None and written is not None and heard.at > written.at:
        heard = None
    if claim is not None and written is not None and claim.at > written.at:
        claim = None
    # In the caller's process the commit has an answer, and mostly no notification comes first.
    of_end = ((HEARD, "done"), (RETURNED, "commit")) if host == client else ((HEARD, "done"),)
    ended = None
    if written is not None:
        ended = first(written, lambda mark: mark.pid == client and (mark.kind, mark.what) in of_end)
    read = None
    if ended is not None:
        read = first(ended, lambda mark: mark.pid == client and (mark.kind, mark.what) == (RETURNED, "ended"))
    return started, heard, claim, written, ended, read


def _counted(server: Server, hosts: int, runs: int) -> Results:
    """Return the statements and switches of a run, without marks."""
    with _place(server, hosts, None) as place:
        timed = place.run(runs, hosts=place.pids, postmaster=postmaster(server.dsn))
        statements = _statements(server, place, runs)
    parts = {name: Switches(*each) for name, each in timed["switches"].items()}
    return {
        "p50_ms": median(timed["seconds"]) * 1e3,
        "statements": statements,
        "wake_ups": {name: each.waits / runs for name, each in parts.items()},
        "preemptions": {name: each.preemptions / runs for name, each in parts.items()},
    }


def statements_of_a_run(server: Server, hosts: int, runs: int) -> float:
    """Return how many statements a run by itself takes."""
    with _place(server, hosts, None) as place:
        return _statements(server, place, runs)


def _statements(server: Server, place: _Place, runs: int) -> float:
    with counted_statements(server) as count:
        without, with_runs = (int(place.run(number, count)["statements"]) for number in (0, runs))
    return (with_runs - without) / runs
