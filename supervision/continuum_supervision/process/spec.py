"""The specification of one process of a node.

Start here; then `context.py` (what the main function of a process is given), `events.py` (what it may
receive), `launcher.py` (how an application starts a node) and `root_supervisor.py` (what keeps the processes
alive). Knows no Thespian.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.limits import (
    DEFAULT_MAX_RESTARTS,
    DEFAULT_MAX_RESTARTS_WITHIN_S,
    DEFAULT_SHUTDOWN_BUDGET_S,
)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One OS process under the root supervisor. It runs `main`, an importable async function, in its loop.

    A process is permanent: if it ends without having been stopped, it is started again. After more than
    `max_restarts` deaths within `max_restarts_within` seconds the node ends. A process that
    `watches_siblings` receives every start and death of a sibling, and every peer that comes or goes.

    A process whose loop does not turn for `hung_after` seconds is killed and started again; None leaves it
    alone. While it starts it may be silent for `HUNG_START_S`.

    When the node stops, all processes are asked at once to drain, and then one after the other to stop, the
    last started first. A process that `drains` ends by itself once it has drained: its shutdown budget starts
    when it is asked to drain. The budget of any other starts when it is asked to stop.
    """

    id: str
    main: Callable[[ProcessContext], Awaitable[None]]
    args: Any = None
    role: str = ""
    watches_siblings: bool = False
    drains: bool = False
    max_restarts: int = DEFAULT_MAX_RESTARTS
    max_restarts_within: float = DEFAULT_MAX_RESTARTS_WITHIN_S
    shutdown_budget: float = DEFAULT_SHUTDOWN_BUDGET_S
    hung_after: float | None = None

    def __post_init__(self) -> None:
        name = getattr(self.main, "__qualname__", "")
        module = sys.modules.get(getattr(self.main, "__module__", ""))
        if module is None or module.__name__ == "__main__" or getattr(module, name, None) is not self.main:
            raise ProcessSystemError(
                f"process {self.id}: main must be a module-level function that can be imported: "
                f"move {name or self.main!r} into a module"
            )
