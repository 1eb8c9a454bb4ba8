"""The part of the port for a node that is not notified: one look instead of all notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.facts import Namespaces
from continuum.journal.version_facts import Loaded


class LookedFor(NamedTuple):
    """What a look is about: the workers of one node, and the code and namespaces that they claim."""

    node: NodeId
    workers: Sequence[WorkerId]
    code: Sequence[Loaded]
    activities: Sequence[str]
    namespaces: Namespaces = None


class Seen(NamedTuple):
    """What a look has seen.

    `due` is when the next run is due that the node may claim, on the journal's clock. `tasks` is a number
    that changes with the activity tasks that the node may claim, None without any; with many tasks of others
    it may be a guess. `mail` has the runs of these workers by rows of their mail, the latest row of each at
    least; None means that any may have some. `newest` is the position of the latest mail of all. `suspects`
    says that some wait for a trial, `paused` that these workers own paused runs.
    """

    due: int | None
    tasks: int | None
    mail: Mapping[int, RunId] | None
    newest: int
    suspects: bool
    paused: bool = False


class Looks(Protocol):
    """Looks instead of notifications."""

    async def look(self, wanted: LookedFor, after: int | None) -> Seen:
        """Look for work and tasks that may be claimed, and for mail after a position; None for all mail.

        A row that was written earlier and committed later may come before a position: look again from an
        earlier one, a moment later.
        """
        ...
