"""The present engine resumes every kind of run as an earlier engine has left it.

This holds on this Python and on those of `CONTINUUM_TEST_PYTHONS`, all with the same commands. Runs live
longer than deploys: a change under which one of these does not replay strands runs of users.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from continuum.engine.events import EventType
from continuum.engine.outcome import Completed
from continuum.journal.snapshot_codec import SNAPSHOT_FORMAT, Part, unpack_parts
from continuum.testing import assert_replays, replay
from tests.crash.test_processes import PYTHONS, ROOMS, ROOT
from tests.golden.programs import PROGRAMS
from tests.golden.replaying import NOT_FROM_THE_START, RUNS, begun, commands_of, from_the_start, history_of

NAMES = sorted(PROGRAMS)
ENDINGS = {
    "cancelled": "cancelled",
    "continuation_first": "continued",
    "open": "suspended",
    "saga_failure": "failed",
    "terminal_failure": "failed",
}


def test_there_is_a_history_of_every_kind() -> None:
    """GLD1"""
    assert {path.stem for path in RUNS.glob("*.json")} == set(PROGRAMS)


def test_every_type_of_event_is_in_some_history() -> None:
    """GLD1"""
    seen = {event.type for name in NAMES for event in history_of(name).stored}
    assert seen == set(EventType)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_an_earlier_engine_replays_to_its_end(name: str) -> None:
    """GLD2"""
    history = history_of(name)
    assert_replays(PROGRAMS[name], history)
    assert replay(PROGRAMS[name], history).state == ENDINGS.get(name, "completed") == history.ending.state


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_FROM_THE_START])
def test_the_same_results_cause_the_same_commands(name: str) -> None:
    """GLD2: in the same order, under the same names, from the same functions, for the same children."""
    history = history_of(name)
    assert from_the_start(name, history) == commands_of(history.stored)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_an_earlier_engine_can_be_resumed_anywhere(name: str) -> None:
    """GLD2: from any prefix of its history."""
    history = history_of(name)
    for cut in range(len(history) + 1):
        execution = begun(name, history, history.stored[:cut])
        assert execution.log.verdict is None or history.ending.state == "continued", f"cut at {cut}"
        execution.close()


def test_a_snapshot_of_an_earlier_engine_is_read() -> None:
    """GLD2, SNF1: if this version reads its format; otherwise it reads the events."""
    blob = RUNS / f"snapshot.format-{SNAPSHOT_FORMAT}.hex"
    history = history_of("snapshot")
    half = len(history) // 2
    compact = unpack_parts([Part(0, half, bytes.fromhex(blob.read_text(encoding="ascii")))])
    assert compact is not None
    execution = begun("snapshot", history, history.stored[half:], compact)
    assert not execution.log.snapshot_mismatch
    assert execution.outcome == Completed(replay(PROGRAMS["snapshot"], history).result)
    assert execution.log.take_events() == []


def replayed_by(python: str, seed: str) -> str:
    """Return the output of another process that replays all histories."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS),
    }
    finished = subprocess.run(
        [python, "-m", "tests.golden.replaying"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("python", [sys.executable, *PYTHONS], ids=lambda path: Path(path).parts[-3])
def test_every_python_replays_them_the_same(python: str) -> None:
    """GLD2: with any hash seed."""
    probe = subprocess.run(
        [python, "-c", "import msgpack, cattrs, psycopg, click"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"{python} has not the dependencies")
    output = replayed_by(python, "4711")
    assert output == replayed_by(sys.executable, "0")
    assert [line.partition(":")[0] for line in output.splitlines()] == list(PROGRAMS)
