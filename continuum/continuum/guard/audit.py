"""Calls for which Python raises an audit event: files, sockets, processes, threads.

The hook runs for every audit event of the process, so it checks first whether a step is running.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from continuum.guard.calls import EVENTS, PUBLIC_NAMES
from continuum.guard.names import NameGuard
from continuum.guard.verdict import refuse_if_workflow

__all__ = ["install"]


def install(guard: NameGuard) -> None:
    """Check the audit events of this process while `guard` counts a running step."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if guard.steps and event in EVENTS:
            _check(event, arguments)

    sys.addaudithook(hook)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _is_time_zone(arguments[0]):
        return
    refuse_if_workflow(EVENTS[event], f"{PUBLIC_NAMES.get(event, event)}()", sys._getframe(2))


def _is_time_zone(path: object) -> bool:
    """Whether the file is a time zone's: `ZoneInfo` reads it in C, so it seems to be its caller that does."""
    zones = sys.modules.get("zoneinfo")
    return (
        zones is not None
        and isinstance(path, str)
        and any(path.startswith(root + os.sep) for root in zones.TZPATH)
    )
