"""Imported by name in the processes of a node: Python's clock is an hour ahead there."""

from __future__ import annotations

import time

from tests.process.node.flows import clocked

__all__ = ["clocked"]

_machine_time = time.time


def _an_hour_ahead() -> float:
    return _machine_time() + 3600.0


time.time = _an_hour_ahead
