"""The same history gives the same commands in every process: hash seeds, heaps, Python versions.

`CONTINUUM_TEST_PYTHONS` names further interpreters (separated by the path separator) that have
the dependencies; others are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from continuum.engine.events import Event
from tests.crash.order import approval, calls, crowd, order_flow
from tests.crash.replaying import dump
from tests.unit.engine.driver import Driver, comparable

ROOT = Path(__file__).parents[2]
ROOMS = ("continuum", "actors", "supervision", "migrations", ".")
PYTHONS = [path for path in os.environ.get("CONTINUUM_TEST_PYTHONS", "").split(os.pathsep) if path]
PROGRAMS = {"crowd": crowd, "order_flow": order_flow}


def replayed(python: str, program: str, history: list[Event], seed: str) -> str:
    """Replay in another process and return its output."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS),
    }
    finished = subprocess.run(
        [python, "-m", "tests.crash.replaying", program],
        input=dump(history),
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def lived(program: str) -> tuple[list[Event], str]:
    """Run a program and return its history and the expected output of a replay."""
    calls.clear()
    driver = Driver(
        PROGRAMS[program], seed=3, signals=[(approval.name, "yes")] if program == "order_flow" else ()
    )
    outcome = driver.run()
    return driver.history, f"{comparable(outcome)}\n{dump(driver.history)}\n" * 2


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("seed", ["0", "1", "42", "1234", "4294967295"])
def test_a_hash_seed_changes_no_command(program: str, seed: str) -> None:
    history, expected = lived(program)
    assert replayed(sys.executable, program, history, seed) == expected


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "python", PYTHONS or [pytest.param("", marks=pytest.mark.skip("CONTINUUM_TEST_PYTHONS"))]
)
def test_a_python_version_changes_no_command(program: str, python: str) -> None:
    probe = subprocess.run(
        [python, "-c", "import msgpack, cattrs, psycopg, click"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"{python} has not the dependencies")
    history, expected = lived(program)
    assert replayed(python, program, history, "7") == expected
