"""`continuum demo` from outside: it succeeds, its runs can be looked at, its audit finds every problem."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from urllib.parse import urljoin

import httpx
import psutil
import pytest
from rich.console import Console

from continuum.client import Event, Run, RunError
from continuum.demo.audit import Killing, Report, Seen, audit, expected_result
from continuum.demo.display import display, show_report
from continuum.demo.ledger import Entry, entries, record
from continuum.demo.session import command

# Far longer than the demo takes, on a machine that runs other things too.
PATIENCE_SECONDS = 300
KILLED_AT = datetime(2025, 1, 1, tzinfo=UTC)
KILLED_PID = 7


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Yield a directory for temporary files that the server's account can enter."""
    directory = Path(tempfile.mkdtemp(prefix="demo-test-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def launched(temporary: Path) -> subprocess.Popen[str]:
    """Start the demo with directories of its own for temporary files and for the server."""
    return subprocess.Popen(
        [sys.executable, "-m", "continuum.cli", "demo"],
        env=environment(temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(temporary: Path) -> dict[str, str]:
    """Return an environment whose embedded server is in the directory."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join(str(root / room) for room in ("continuum", "actors", "supervision", "migrations"))
    own = {"PYTHONPATH": path, "TMPDIR": str(temporary), "CONTINUUM_DATA_DIR": str(temporary / "data")}
    return {name: value for name, value in os.environ.items() if name != "CONTINUUM_DSN"} | own


def processes_naming(temporary: Path) -> list[psutil.Process]:
    """Return the processes that name the directory, zombies aside: the server and its keeper."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process
        for process in found
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(str(temporary) in argument for argument in process.info["cmdline"] or ())
    ]


@pytest.mark.slow
def test_the_demo_loses_nothing_and_its_runs_can_be_looked_at(temporary: Path) -> None:
    with launched(temporary) as demo:
        try:
            out, err = demo.communicate(timeout=PATIENCE_SECONDS)
        finally:
            demo.kill()
    assert (demo.returncode, err) == (0, ""), out
    figures = dict(line.rsplit(maxsplit=1) for line in out.splitlines() if len(line.split()) > 1)
    assert figures["runs completed"] == "200"
    assert figures["journal duplicates"] == "0"
    assert figures["activity results journaled"] == "600"
    assert "kill -9" in out
    assert (os.listdir(temporary), processes_naming(temporary)) == (["data"], [])
    named = out.splitlines()[-1].partition("look at the runs: ")[2]
    assert "demo.order" in page_of(named, temporary, "/runs")


def page_of(command: str, temporary: Path, path: str) -> str:
    """Return a page of the observer that a command opens; the command ends with that."""
    with subprocess.Popen(
        [*shlex.split(command), "--http", f"127.0.0.1:{free_port()}"],
        env=environment(temporary),
        stdout=subprocess.PIPE,
        text=True,
    ) as observer:
        try:
            assert observer.stdout is not None
            link = observer.stdout.readline().removeprefix("observer ").strip()
            with httpx.Client(timeout=PATIENCE_SECONDS) as visitor:
                assert visitor.get(link).status_code == 200
                return visitor.get(urljoin(link, path)).text
        finally:
            observer.terminate()


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(how: signal.Signals, temporary: Path) -> None:
    with launched(temporary) as demo:
        try:
            assert demo.stdout is not None
            while "running 200 orders" not in demo.stdout.readline():
                assert demo.poll() is None
            children = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(how)
            _, err = demo.communicate(timeout=PATIENCE_SECONDS)
        finally:
            demo.kill()
    assert (demo.returncode, err) == (130, "")
    assert (os.listdir(temporary), processes_naming(temporary)) == (["data"], [])
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def event(seq: int, type: str, name: str, completes: int = 0, after: float = 1.0) -> Event:
    return Event(seq, type, name, {"scheduled": completes}, KILLED_AT + timedelta(seconds=after))


def seen(number: int, result: str | None = None, state: str = "completed") -> Seen:
    """Return an order that ended as it should, as the journal has it."""
    run = Run(
        id=f"run-{number}",
        workflow="demo.order",
        version="1",
        namespace="default",
        state=state,
        input=[],
        keywords={},
        result=expected_result(number, 5) if result is None else result,
        error=None,
        reason=None,
        attributes={},
        idempotency_key=None,
        trace_context=None,
        parent_run_id=None,
        continued_from=None,
        continued_to=None,
        started_at=KILLED_AT,
        updated_at=KILLED_AT,
        completed_at=KILLED_AT + timedelta(seconds=2),
    )
    history = [
        event(0, "activity_scheduled", "demo.validate", after=-1),
        event(1, "activity_completed", "demo.validate", completes=0, after=0.25),
    ]
    return Seen(run, history)


def sold(number: int, *, pid: int = 1) -> list[Entry]:
    return [Entry(number, activity, pid) for activity in ("validate", "charge", "ship")]


def report(orders: dict[int, Seen], ledger: list[Entry], numbers: tuple[int, ...] = (3,)) -> Report:
    return audit(dict.fromkeys(numbers, 5), orders, ledger, Killing(KILLED_AT, KILLED_PID))


def test_an_order_that_ended_as_it_should_is_no_problem() -> None:
    assert report({3: seen(3)}, sold(3)).problems == []


def test_an_order_without_a_run_is_lost() -> None:
    assert report({}, sold(3)).problems == ["order 3 is lost: no run has it"]


@pytest.mark.parametrize("state", ["running", "suspended", "blocked"])
def test_an_order_that_has_not_ended_is_stuck(state: str) -> None:
    (problem,) = report({3: seen(3, state=state)}, sold(3)).problems
    assert problem.startswith("order 3 is stuck")


def test_a_failed_order_is_reported_with_its_error() -> None:
    order = seen(3, state="failed")
    failed = replace(order, run=replace(order.run, error=RunError("ValueError", "no", "")))
    (problem,) = report({3: failed}, sold(3)).problems
    assert "ValueError: no" in problem


def test_an_unexpected_result_is_a_problem() -> None:
    (problem,) = report({3: seen(3, result="shipped for nothing")}, sold(3)).problems
    assert "'shipped for nothing'" in problem


def test_a_journaled_activity_without_an_effect_is_a_problem() -> None:
    (problem,) = report({3: seen(3)}, sold(3)[:2]).problems
    assert "the world saw ['charge', 'validate']" in problem


def test_a_rejected_order_must_be_refunded_in_the_world() -> None:
    (problem,) = report({10: seen(10)}, sold(10), (10,)).problems
    assert "not ['charge', 'refund', 'validate']" in problem


@pytest.mark.parametrize(
    "again",
    [
        event(2, "activity_completed", "demo.validate", completes=0),
        event(2, "activity_scheduled", "demo.validate"),
    ],
)
def test_an_activity_that_is_journaled_twice_is_counted(again: Event) -> None:
    order = seen(3)
    doubled = report({3: replace(order, history=[*order.history, again])}, sold(3))
    assert doubled.journal_duplicates == 1
    assert doubled.problems == ["1 activities are journaled twice"]


def test_an_activity_that_ran_twice_is_counted_and_no_problem() -> None:
    figures = report({3: seen(3)}, [*sold(3), Entry(3, "charge", 2)])
    assert (figures.executed, figures.executed_again, figures.problems) == (4, 1, [])


def test_progress_is_what_the_runs_of_the_killed_host_journaled_after_the_kill() -> None:
    orders = {3: seen(3), 4: replace(seen(4), history=[event(0, "timer_fired", "", after=0.01)])}
    figures = report(orders, [*sold(3, pid=KILLED_PID), *sold(4)], (3, 4))
    assert (figures.interrupted, figures.seconds_to_progress) == (1, 0.25)


def test_no_progress_after_the_kill_is_a_problem() -> None:
    silent = replace(seen(3), history=[event(0, "activity_scheduled", "demo.validate", after=-1)])
    assert report({3: silent}, sold(3, pid=KILLED_PID)).problems == ["no run of the killed host continued"]


def test_a_demo_without_a_kill_proves_nothing() -> None:
    assert audit({3: 5}, {3: seen(3)}, sold(3), None).problems != []


def test_the_ledger_keeps_what_was_recorded(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    assert entries(ledger) == []
    record(str(ledger), 3, "charge")
    assert entries(ledger) == [Entry(3, "charge", os.getpid())]


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    out = StringIO()
    times = iter([0.0, 0.5, 1.5, 1.6])
    with display(Console(file=out), 2, lambda: next(times)) as shown:
        for ended in (0, 0, 1, 2):
            shown.progress(2, ended)
    assert out.getvalue().splitlines() == [f"orders: 2 started, {ended} of 2 ended" for ended in (0, 1, 2)]


def test_progress_is_a_bar_on_a_terminal() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with display(console, 2) as shown:
        shown.say("[brackets] are not markup")
        shown.progress(2, 2)
    assert "2/2" in out.getvalue()
    assert "[brackets] are not markup" in out.getvalue()


def test_ten_problems_are_shown_and_the_others_counted() -> None:
    out = StringIO()
    numbers = tuple(range(1, 13))
    show_report(Console(file=out), report({}, [], numbers))
    wrong = [line for line in out.getvalue().splitlines() if line.startswith("WRONG")]
    assert (len(wrong), wrong[-1]) == (11, "WRONG: and 2 more")


@pytest.mark.parametrize(
    ("program", "environment", "said"),
    [
        ("continuum", {"PATH": "{bin}"}, "continuum observer --schema demo"),
        ("continuum", {"PATH": "/nowhere"}, "{program} observer --schema demo"),
        (
            "continuum",
            {"PATH": "{bin}", "CONTINUUM_DSN": "x"},
            "env -u CONTINUUM_DSN continuum observer --schema demo",
        ),
        ("__main__.py", {}, f"{sys.executable} -m continuum.cli observer --schema demo"),
    ],
)
def test_the_command_is_named_as_it_is_typed_here(
    tmp_path: Path, program: str, environment: dict[str, str], said: str
) -> None:
    here = tmp_path / program
    here.touch(0o755)
    known = {name: value.format(bin=tmp_path) for name, value in environment.items()}
    assert command(str(here), known) == said.format(program=os.path.relpath(here))
