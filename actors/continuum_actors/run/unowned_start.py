"""Starts the actor of a run that nobody owns yet: its first write will make this process the owner."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from continuum.journal.announced_run import FirstWrite
from continuum.journal.port import ClaimedRun, InboxRow, StoredHistory
from continuum_actors.host.host import Host
from continuum_actors.run.failure_log import about
from continuum_supervision import ActorDied

log = logging.getLogger("continuum.dispatcher")


def start_unowned(
    host: Host, claim: ClaimedRun, history: StoredHistory, mail: Sequence[InboxRow], first: FirstWrite
) -> bool:
    """Start the actor of a run; False if that fails, which leaves the run to claims or to its client."""
    try:
        host.runs.start_run(claim, history, mail, first)
    except ActorDied:
        # The run supervisor is gone, and nothing of the run is written.
        return False
    except Exception:
        log.exception("run %s could not be started", claim.id, extra=about(claim))
        return False
    return True
