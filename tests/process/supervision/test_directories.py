"""The next node removes the directories of nodes that were killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from continuum_supervision.process.directory import make_node_directory, remove_dead_directories

HOLD = """
from continuum_supervision.process.directory import make_node_directory
print(make_node_directory(), flush=True)
input()
"""


def test_a_directory_is_removed_once_no_process_locks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    ) as holder:
        assert holder.stdout is not None
        try:
            theirs = Path(holder.stdout.readline().strip())
            mine = make_node_directory()
            assert theirs.is_dir()
        finally:
            holder.kill()
    remove_dead_directories()
    assert not theirs.exists()
    assert mine.is_dir()
