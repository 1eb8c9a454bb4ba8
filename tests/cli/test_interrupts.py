"""Ctrl-C ends a waiting command without output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psycopg

from continuum.cli.main import INTERRUPTED
from tests.cli.commands import CommandLine

DEADLINE_S = 60.0


def is_listening(dsn: str, schema: str) -> bool:
    """Return whether a connection listens for notifications of this schema."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "select from pg_stat_activity where query ilike 'listen%%' and position(%s in query) > 0",
            (schema,),
        )
        return found.fetchone() is not None


def test_an_interrupted_wait_for_a_result_prints_nothing(cli: CommandLine) -> None:
    run_id = cli("start", "greeting", '"ann"').out.strip()
    waiting = subprocess.Popen(
        [sys.executable, "-m", "continuum.cli", "result", run_id, *cli.options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not is_listening(cli.options[1], cli.options[3]):
            assert time.monotonic() < deadline, "it does not wait"
            threading.Event().wait(0.01)
        waiting.send_signal(signal.SIGINT)
        # The newline ends the line on which the terminal has printed ^C.
        assert waiting.communicate(timeout=DEADLINE_S)[0] == "\n"
        assert waiting.returncode == INTERRUPTED
    finally:
        waiting.kill()
        waiting.communicate()
