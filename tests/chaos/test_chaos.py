"""Two minutes of chaos; `python -m tests.chaos --minutes 60` plays longer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MINUTES = 2.0
# It settles after the last fault, and each node stops within its own budget.
DEADLINE_S = 600.0
SEED = 20_261_129


@pytest.mark.soak
def test_two_minutes_of_chaos_leave_every_promise_kept() -> None:
    play = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--minutes", str(MINUTES), "--seed", str(SEED), "--rate", "8"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert play.returncode == 0, play.stdout + play.stderr
