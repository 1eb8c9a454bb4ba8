"""`Renewal`: what a node learns when it renews its leases. Data only."""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import WorkerId
from continuum.journal.node_report_port import WantedReport


class Renewal(NamedTuple):
    """The outcome of renewing leases.

    `held` are the workers whose lease was extended. `others` is the number of seconds until
    the next lease of another worker runs out (negative if it has), None without other workers.
    `drain` is True when an operator has asked this node to stop. `wanted` is what those want to see who look
    at this node, None if nobody does.
    """

    held: frozenset[WorkerId]
    others: float | None
    drain: bool
    wanted: WantedReport | None = None
