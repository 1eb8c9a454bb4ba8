"""A person who debugs may stop: that is no end of the code, and no difference to its history."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.replays.debug_sessions import DEADLINE_S, SHOP, Desk, desk_in

LOOP = "    print('loops', flush=True)\n    while total:\n        total += 1\n"
# `python -m pdb` of Python 3.13.0 takes the options of what it runs for its own.
# Only an error that escapes from the command comes to the last line.
UNDER_PDB = """
import pdb, sys
from continuum.cli import main
pdb.run("sys.exit(main())")
sys.exit("the quit escaped")
"""
LOOPS = SHOP.replace("    word = await", f"{LOOP}    word = await")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A run of the shop whose history has more after its activity."""
    with desk_in(tmp_path, monkeypatch) as desk:
        desk.record(signal="yes")
        yield desk


def test_an_interrupt_in_the_code_ends_the_command(desk: Desk) -> None:
    desk.write(LOOPS)
    with subprocess.Popen(
        desk.arguments("debug"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=desk.folder,
        env=desk.environment(),
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "loops\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    assert "does not replay" not in err


def test_quitting_another_debugger_ends_the_session(desk: Desk) -> None:
    """Quitting a debugger that is not ours raises an error in the code, before its history ends."""
    line = SHOP.splitlines().index("    total = paid + 1") + 1
    typed = (f"b {desk.folder / desk.name}.py:{line}", "c", "p paid", "q")
    done = subprocess.run(
        [sys.executable, "-c", UNDER_PDB, *desk.arguments("debug")[3:]],
        input="".join(f"{word}\n" for word in typed),
        cwd=desk.folder,
        env=desk.environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert "(Pdb) 3\n" in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr
    assert "does not replay" not in done.stderr
