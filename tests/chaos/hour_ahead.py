"""Imported by name in the processes of a node: Python's clock is an hour ahead there.

A library that shifts the clock of a whole process (libfaketime) makes `time.sleep` of Python fail.
"""

from __future__ import annotations

import time

HOUR_NS = 3_600_000_000_000
_machine_time_ns = time.time_ns


def _an_hour_ahead_ns() -> int:
    return _machine_time_ns() + HOUR_NS


def _an_hour_ahead() -> float:
    return _an_hour_ahead_ns() / 1e9


time.time, time.time_ns = _an_hour_ahead, _an_hour_ahead_ns
