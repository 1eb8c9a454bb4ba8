"""Watches what a process does while it reads an input: code that runs, files, programs, CPU time, memory."""

from __future__ import annotations

import resource
import signal
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# CPU time, so that a busy machine finds nothing. An input takes microseconds; the slowest kind takes 10 ms.
INPUT_CPU_S = 2.0
# Beyond what the process has when it begins.
MEMORY_BYTES = 768 << 20

_FORBIDDEN = frozenset(
    (
        *(
            "exec",
            "compile",
            "pickle.find_class",
            "marshal.loads",
            "os.system",
            "os.exec",
            "os.fork",
            "os.remove",
        ),
        *("subprocess.Popen", "os.posix_spawn", "socket.connect", "ctypes.dlopen", "import"),
    )
)
# The time-zone database may come as a package, whose folders are read as packages of it.
_HARMLESS_IMPORTS = ("tzdata",)


class CodeRan(BaseException):
    """An input made the process do something that reading must not do; no `except Exception` may hide it."""


class TookTooLong(BaseException):
    """An input took more CPU time than any input may."""


class _Watch:
    on = False
    installed = False
    seen: str | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Watch.on or event not in _FORBIDDEN:
        return
    if sys._getframe(1).f_code.co_filename == typing.__file__:
        return  # an annotation of the programs, which is resolved on first use
    if event == "import" and str(arguments[0]).startswith(_HARMLESS_IMPORTS):
        return
    _Watch.seen = f"{event} {arguments!r:.200}"
    raise CodeRan(_Watch.seen)


def _too_long(_signal: int, _frame: object) -> None:
    raise TookTooLong(f"more than {INPUT_CPU_S} s")


def install() -> None:
    """Watch this process for the rest of its life, and limit its memory: call it in one of its own."""
    if _Watch.installed:
        return
    _Watch.installed = True
    sys.addaudithook(_hear)
    signal.signal(signal.SIGVTALRM, _too_long)
    with open("/proc/self/statm", encoding="ascii") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))


@contextmanager
def watched() -> Iterator[None]:
    """Watch what happens inside; report also what something inside has caught."""
    _Watch.seen, _Watch.on = None, True
    signal.setitimer(signal.ITIMER_VIRTUAL, INPUT_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        _Watch.on = False
    if _Watch.seen is not None:
        raise CodeRan(_Watch.seen)
