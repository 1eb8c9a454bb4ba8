"""The measured workflows for a node whose processes mark what they do; see `trace_points.py`."""

from __future__ import annotations

import os

from bench.flows import steps_in_a_row, wait_for_go
from bench.trace_points import VARIABLE, install

__all__ = ["steps_in_a_row", "wait_for_go"]

install(os.environ[VARIABLE])
