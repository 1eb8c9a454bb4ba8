"""How the processes of a node log: to standard error, one line per record, Python's warnings included."""

import logging
import warnings
from typing import TextIO

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger("py.warnings")


def log_to_stderr(level: int) -> None:
    """Log records of at least this level, replacing the set-up that this process had."""
    logging.basicConfig(level=level, format=LOG_FORMAT, force=True)
    warnings.showwarning = _log_warning


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
