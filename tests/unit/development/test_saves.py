"""Saves are noticed in the folders of the code, also one that came before the watcher was there."""

from __future__ import annotations

import queue
from contextlib import closing
from pathlib import Path

import pytest

from continuum.development.saves import Saves, folders_of

DEADLINE_S = 30.0


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file of code."""
    file = tmp_path / "shop.py"
    file.write_text("first", encoding="utf-8")
    return file


def stamp(file: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns}


def test_a_save_is_noticed(module: Path) -> None:
    saved: queue.Queue[list[str]] = queue.Queue()
    with closing(Saves(stamp(module), saved.put)):
        module.write_text("second", encoding="utf-8")
        assert saved.get(timeout=DEADLINE_S) == [str(module)]


def test_a_new_file_beside_the_code_is_noticed_and_other_files_are_not(module: Path) -> None:
    saved: queue.Queue[list[str]] = queue.Queue()
    with closing(Saves(stamp(module), saved.put)):
        (module.parent / "notes.txt").write_text("no code", encoding="utf-8")
        (module.parent / "prices.py").write_text("code", encoding="utf-8")
        assert saved.get(timeout=DEADLINE_S) == [str(module.parent / "prices.py")]


def test_a_save_before_the_watcher_was_there_is_noticed(module: Path) -> None:
    saved: queue.Queue[list[str]] = queue.Queue()
    with closing(Saves({str(module): 1}, saved.put)):
        assert saved.get(timeout=DEADLINE_S) == [str(module)]


def test_folders_that_are_gone_are_not_watched(module: Path) -> None:
    assert folders_of({str(module): 1, "/no/such/folder/x.py": 1}) == [str(module.parent)]
