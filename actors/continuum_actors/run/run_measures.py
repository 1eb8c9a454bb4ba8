"""What is measured of a run when its end is durable."""

from __future__ import annotations

from continuum.journal.port import ClaimedRun, RunState, RunWrite
from continuum_actors.host.host import Host

_NAMES = {state: state.name.lower() for state in RunState if state.terminal}


def measure_end(host: Host, claim: ClaimedRun, write: RunWrite) -> None:
    """Report that a run has ended, if this write has ended it."""
    if write.transition is not None and (state := _NAMES.get(write.transition.state)) is not None:
        host.measures.run_ended(claim.workflow, state, (host.journal.now() - claim.started_at) / 1e6)
