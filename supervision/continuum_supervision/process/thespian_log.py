"""Routes Thespian's log into ours: no file in the temp directory, no logger process.

Thespian redirects the logging module of every process to a process of its own. Here each process logs to the
launcher's stderr, as any program does.
"""

import logging
import sys
from typing import Any

import thespian.system.utilis as utilis

logger = logging.getLogger("continuum.thespian")
# Connections to dead processes: normal in a node, and the supervisor logs them better.
_EXPECTED = ("Socket connect failure", "Socket error sending", "Socket Error waiting", "Entering tx-only")


def route_thespian_log() -> None:
    """Replace Thespian's own log function in every module that has imported it."""
    original = utilis.thesplog
    for name, module in list(sys.modules.items()):
        if name.startswith("thespian.") and getattr(module, "thesplog", None) is original:
            module.thesplog = _log  # type: ignore[attr-defined]


def _log(
    message: str, *values: Any, level: int = logging.INFO, exc_info: Any = None, **_ignored: Any
) -> None:
    if message.startswith(_EXPECTED) and level < logging.CRITICAL:
        level = logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, message, *values, exc_info=exc_info)
