"""What a run tells others and traces once its end is durable, and its span of a stay on this worker.

A replay makes no span, nor does an owner whose write the fence refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.execution import Execution
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.port import ClaimedRun, RunWrite
from continuum.telemetry.tracing import Period
from continuum_actors.host.host import Host
from continuum_actors.run.failure_log import log_end
from continuum_actors.run.run_measures import measure_end
from continuum_actors.run.run_writes import ended_run


def tell_end(host: Host, claim: ClaimedRun, execution: Execution, write: RunWrite) -> None:
    """The last write of a run is durable: log a failure, count and trace the end, tell the clients here."""
    log_end(claim, write)
    measure_end(host, claim, write)
    traced = host.tracer.active
    if host.port is None and not traced:
        return
    end = ended_run(claim, write)
    if end is None:
        return
    if host.port is not None:
        host.port.ended(end)
    if traced:
        period = Period(claim.started_at, host.journal.now())
        state, error = end.state.name.lower(), _type_of(end.error)
        host.tracer.ended(execution.info, period, state, error, claim.parent)


def trace_stay(
    host: Host, claim: ClaimedRun, execution: Execution, since: int, signals: Sequence[str]
) -> None:
    """Trace that the run was here since then; `signals` are the trace contexts of those that it took here."""
    period = Period(since, host.journal.now())
    host.tracer.stayed(execution.info, period, host.node, claim.attempt, signals)


def _type_of(error: bytes | None) -> str | None:
    """Return the type of a stored error."""
    if error is None:
        return None
    try:
        return str(unpack_body(error)[0])
    except (CorruptBody, LookupError):
        return None
