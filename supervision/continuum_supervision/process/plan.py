"""The plan of a node, which its launcher makes, and the part of it that each new process receives.

Both travel between processes like the messages in `wire.py`, but carry process specs.
"""

from dataclasses import dataclass, field

from continuum_supervision.process.log import LogOutput
from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.process.wire import Address


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Everything the launcher decides for a node; travels over an inherited socket, never argv."""

    node: str
    specs: tuple[ProcessSpec, ...]
    cookie: bytes = field(repr=False)
    bind: Address | None
    join: Address | None
    log: LogOutput = field(default_factory=LogOutput)


@dataclass(frozen=True, slots=True)
class StartProcess:
    """To a new process actor: the process that it is to run."""

    spec: ProcessSpec
    incarnation: int
    node: str
    directory: str
