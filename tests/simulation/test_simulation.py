"""The simulator runs its seeds, repeats and shrinks them, and finds engines that are broken on purpose.

Each part is a process of its own, so that one hash seed orders its sets and a failure is repeated exactly.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.broken import BROKEN

# Two parts, for two cores.
SEEDS = 1_000
SECONDS = 1_200


def simulate(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, pytest.param(SEEDS, marks=pytest.mark.soak)])
def test_every_promise_holds_whatever_fails(first: int) -> None:
    code, printed = simulate("--from", str(first), "--seeds", str(SEEDS), "--jobs", "2")
    assert code == 0, printed
    assert f"{SEEDS} seeds hold" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BROKEN))
def test_an_engine_broken_on_purpose_is_found(name: str) -> None:
    code, printed = simulate("--broken", name, "--seeds", "2000", "--whole")
    assert code == 1
    assert "fails: " in printed, printed


def test_a_seed_is_repeated_exactly() -> None:
    first, again = simulate("--seeds", "25", "--hash"), simulate("--seeds", "25", "--hash")
    assert first == again
    assert first[0] == 0
    assert simulate("--from", "25", "--seeds", "25", "--hash") != first


def test_a_failing_seed_shrinks_to_a_shorter_trace() -> None:
    broken = ("--broken", "wake-without-mark")
    whole, shrunk = simulate(*broken, "--whole")[1], simulate(*broken)[1]
    assert "shrunk from" in shrunk
    assert len(shrunk.splitlines()) < len(whole.splitlines())
    rule = "lost-wake"
    assert rule in whole
    assert rule in shrunk.splitlines()[-3]


def test_a_failure_names_the_command_that_repeats_it() -> None:
    printed = simulate("--broken", "wake-without-mark", "--whole")[1]
    command = printed.splitlines()[-1].partition("-m tests.simulation ")[2].split()
    assert simulate(*command, "--whole")[1] == printed
