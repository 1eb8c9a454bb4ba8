"""What the control process reports to the launcher of its node, which outlives it."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.telemetry.tallies import Tally


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """An operator wants this node to stop in order."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The leases of the node have just been renewed; `state` is that of the node, `up` or `draining`."""

    state: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What the processes of the node have counted since the last such report."""

    counted: tuple[Tally, ...]
