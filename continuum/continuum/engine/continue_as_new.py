"""Continuing as new: a run ends, and a successor does the rest of its work with a new history."""

from __future__ import annotations

from typing import NoReturn

from continuum.engine.call_site import Site, caller, where
from continuum.engine.drift_messages import other_input
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import digest_of, successor_run_id
from continuum.engine.outcome import Continued


def continue_run(execution: Execution, workflow: str, site: Site, input: bytes) -> NoReturn:
    """End the run here and name its successor; nothing that the code does afterwards counts.

    A run with a cancel request ends as cancelled instead, without a successor.
    """
    log = execution.log
    log.check()
    if execution.cancelled is not None:
        log.refuse(execution.cancelled)
    digest = digest_of(input)
    run_id = "" if log.replaying else successor_run_id(execution.info.run_id, log.next_seq)
    event = log.command(EventType.RUN_CONTINUED_AS_NEW, workflow, site, (run_id, digest))
    if event.body[4] != digest:
        log.refuse(other_input(event, caller(site), where(site)))
    log.refuse(Continued(event.body[3], workflow, input, tuple(execution.signals_kept())))
