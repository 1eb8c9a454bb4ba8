"""How the processes of a node log: to standard error, one line per record, Python's warnings included."""

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger("py.warnings")
errors = logging.getLogger("continuum.process")


@dataclass(frozen=True, slots=True)
class LogOutput:
    """What the processes of a node log, and in which form; sent to each of them.

    `dress` gives the handler of a process, by the name of that, its filters and another formatter. It travels
    by its name: a function of a module, or a `functools.partial` of one.
    """

    level: int = logging.WARNING
    dress: Callable[[logging.Handler, str], None] | None = None


def log_to_stderr(output: LogOutput, process: str) -> None:
    """Log records as `output` says, replacing the set-up that this process had."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    if output.dress is not None:
        output.dress(handler, process)
        # Text of Python's own would be no record.
        threading.excepthook = _log_end_of_thread
        sys.unraisablehook = _log_unraisable
    logging.basicConfig(level=output.level, handlers=[handler], force=True)
    warnings.showwarning = _log_warning


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    if end.exc_value is not None and not isinstance(end.exc_value, SystemExit):
        name = "a thread" if end.thread is None else f"thread {end.thread.name}"
        errors.error("%s ended with an exception", name, exc_info=end.exc_value)


def _log_unraisable(found: "sys.UnraisableHookArgs") -> None:
    what = found.err_msg or "an exception had nowhere to go"
    errors.error("%s: %.200r", what, found.object, exc_info=found.exc_value)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f"{category.__name__}: {message}"
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
    elif str(message).startswith(f"{filename}:"):
        # The message itself gives a more exact position.
        logger.warning("%s", text)
    else:
        logger.warning("%s:%s: %s", filename, lineno, text)
