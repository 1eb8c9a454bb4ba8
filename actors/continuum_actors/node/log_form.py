"""The form of a node's log when it is for machines."""

from __future__ import annotations

import logging
import os

from continuum.definitions.run_fields import RunFields
from continuum.telemetry.log_records import JsonFormatter


def log_as_json(node: str, handler: logging.Handler, process: str) -> None:
    """Have the handler of a process of this node write JSON, with whose code logs."""
    handler.setFormatter(JsonFormatter(node=node, process=process, pid=os.getpid()))
    handler.addFilter(RunFields())
