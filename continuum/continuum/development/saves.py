"""Notices saves of the files that the code was loaded from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from watchfiles import PythonFilter, watch

# How often the watcher looks whether it is to stop; the system tells it of changes at once.
LOOKS_MS = 200


class Saves:
    """Calls `saved` with the files that change in the folders of these files, until it is closed."""

    def __init__(self, files: Mapping[str, int], saved: Callable[[list[str]], None]) -> None:
        self.folders = folders_of(files)
        self._saved = saved
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="continuum saves", daemon=True)
        self._thread.start()
        self._watching.wait()
        changed = [file for file, at in files.items() if _time_of(file) != at]
        if changed:
            # It was saved after it was read, and before the watcher was there.
            saved(changed)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        changes = watch(
            *self.folders,
            watch_filter=PythonFilter(),
            stop_event=self._stop,
            recursive=False,
            rust_timeout=LOOKS_MS,
            # The first one says that it watches.
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        try:
            for change in changes:
                self._watching.set()
                if change:
                    self._saved(sorted({path for _, path in change}))
        finally:
            self._watching.set()


def folders_of(files: Mapping[str, int]) -> list[str]:
    """Return the folders of files that are there."""
    return sorted({str(Path(file).parent) for file in files if Path(file).parent.is_dir()})


def _time_of(file: str) -> int | None:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return None
