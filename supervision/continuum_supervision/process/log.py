"""How the processes of a node log: to standard error, a record a line, the warnings of Python among them."""

import logging
import warnings
from typing import TextIO

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger("py.warnings")


def log_to_stderr(level: int) -> None:
    """Log in this process from a level on, whatever was set up here before."""
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
    told = f"{category.__name__}: {message}"
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
    elif str(message).startswith(f"{filename}:"):
        # It says more exactly where it is about.
        logger.warning("%s", told)
    else:
        logger.warning("%s:%s: %s", filename, lineno, told)
