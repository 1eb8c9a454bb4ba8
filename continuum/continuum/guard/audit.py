"""What Python announces by itself: files, sockets, processes, threads, by audit events.

The hook runs for every event of the process, so it asks one question before any other.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from continuum.guard.calls import EVENTS, SPOKEN
from continuum.guard.names import NameGuard
from continuum.guard.verdict import judge

__all__ = ["install"]


def install(guard: NameGuard) -> None:
    """Listen to the audit events of this process while `guard` is lowered."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if guard.lowered and event in EVENTS:
            _heard(event, arguments)

    sys.addaudithook(hook)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _is_time_zone(arguments[0]):
        return
    judge(EVENTS[event], f"{SPOKEN.get(event, event)}()", sys._getframe(2))


def _is_time_zone(path: object) -> bool:
    """`ZoneInfo` reads its file from C, in the name of whoever asked for the zone."""
    zones = sys.modules.get("zoneinfo")
    return (
        zones is not None
        and isinstance(path, str)
        and any(path.startswith(root + os.sep) for root in zones.TZPATH)
    )
