"""The liveness board, as its readers see it."""

import os
import signal
from pathlib import Path

import pytest

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.liveness import LivenessBoard

RUN = b"0123456789abcdef01234567"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_sibling_reads_what_a_process_writes(directory: Path) -> None:
    board = LivenessBoard.create(directory / "board", ["one", "two"], monotonic=lambda: 12.5)
    slot = board.slot("two")
    slot.beat()
    slot.set_worker_id(42)
    slot.executing(RUN)
    seen = LivenessBoard.open(directory / "board").read("two")
    assert (seen.beats, seen.beat_at, seen.worker_id, seen.executing) == (1, 12.5, 42, RUN)


def test_a_beat_shows_how_much_work_waits_and_harms_no_trace(directory: Path) -> None:
    board = LivenessBoard.create(directory / "board", ["one", "two"])
    slot = board.slot("one")
    slot.executing(RUN)
    slot.backlog = lambda: 41
    slot.beat()
    assert (board.read("one").backlog, board.read("one").executing, board.read("two").backlog) == (41, RUN, 0)
    slot.clear()
    assert (board.read("one").backlog, board.read("one").executing) == (41, None)
    slot.reset()
    assert board.read("one").backlog == 41, "the beat that begins a new life counts anew"


def test_slots_do_not_overlap(directory: Path) -> None:
    board = LivenessBoard.create(directory / "board", [f"process {n}" for n in range(20)])
    board.slot("process 3").executing(RUN)
    executing = [name for name in board.process_ids if board.read(name).executing]
    assert executing == ["process 3"]


def test_no_run_is_executing_after_clear(directory: Path) -> None:
    board = LivenessBoard.create(directory / "board", ["one"])
    slot = board.slot("one")
    slot.executing(RUN)
    slot.clear()
    assert board.read("one").executing is None


def test_the_last_traces_of_a_killed_process_remain(directory: Path) -> None:
    board = LivenessBoard.create(directory / "board", ["one"])
    pid = os.fork()
    if pid == 0:
        LivenessBoard.open(directory / "board").slot("one").executing(RUN)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert board.read("one").executing == RUN


def test_a_directory_that_others_can_read_is_refused(directory: Path) -> None:
    directory.chmod(0o755)
    with pytest.raises(ProcessSystemError, match="make it with mode 0700"):
        LivenessBoard.create(directory / "board", ["one"])


@pytest.mark.parametrize("ids", [["one", "one"], [""], ["x" * 65]])
def test_process_ids_that_do_not_differ_are_refused(directory: Path, ids: list[str]) -> None:
    with pytest.raises(ProcessSystemError, match="process ids must differ"):
        LivenessBoard.create(directory / "board", ids)
