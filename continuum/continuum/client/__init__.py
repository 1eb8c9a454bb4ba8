"""The client: start, signal, cancel, await and inspect runs from outside.

Read `client.py` first; `run_handle.py` has the calls of one run, `configured_start.py` starts with
options. `connecting.py` opens a client on a DSN; `sync_client.py`, `sync_run_handle.py` and
`default_instance.py` offer the same calls blocking and as module functions. `posting.py` posts
signals and cancel requests, `run_changes.py` makes the other changes, `run_forks.py` runs that begin
with the events of another (`fork_calls.py`), `group_commit.py` joins the
writes of many callers, `completions.py` waits for runs to end (`look_times.py` says when to look),
`published_values.py` for values to change, `state_changes.py` for states.
`run_lookup.py` reads single runs and follows chains, `retrying.py` retries. Arguments are checked
in `start_options.py`, `queries.py`, `argument_checks.py`, `signal_checking.py` and `namespaces.py`;
`runs.py`, `run_owner.py` and `histories.py` hold what calls return, `wait_reasons.py` what a run
waits for, `pauses.py` pauses and resumes, `operations.py` changes all runs that a search finds. Nothing
here imports an actor.
"""

from __future__ import annotations

from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.client import Client
from continuum.client.configured_start import ConfiguredStart
from continuum.client.connecting import connect
from continuum.client.default_instance import (
    await_run,
    cancel,
    configure,
    disconnect,
    events,
    get_run,
    options,
    query,
    set_attributes,
    signal,
    start,
    unblock,
)
from continuum.client.histories import Event
from continuum.client.operations import ClientOperations
from continuum.client.pause_outcome import Pause, PauseOutcome
from continuum.client.run_handle import RunHandle
from continuum.client.run_owner import Owner
from continuum.client.runs import Page, Run, RunError, RunFault
from continuum.client.state_changes import StateChange
from continuum.client.sync_client import SyncClient, SyncConfiguredStart, connect_sync
from continuum.client.sync_operations import SyncClientOperations
from continuum.client.sync_run_handle import SyncRunHandle
from continuum.operations.bulk_records import (
    Operation,
    OperationExample,
    OperationPage,
    OperationPreview,
    OperationProgress,
    UnchangedRuns,
)
from continuum.operations.cut_facts import Cut, CutCall, CutChild, CutStanding
from continuum.operations.explanation import Cause, Explanation, Fix
from continuum.public_names import give_public_names

__all__ = [
    "CancelOutcome",
    "Cause",
    "Client",
    "ClientOperations",
    "ConfiguredStart",
    "Cut",
    "CutCall",
    "CutChild",
    "CutStanding",
    "Event",
    "Explanation",
    "Fix",
    "Operation",
    "OperationExample",
    "OperationPage",
    "OperationPreview",
    "OperationProgress",
    "Owner",
    "Page",
    "Pause",
    "PauseOutcome",
    "Run",
    "RunError",
    "RunFault",
    "RunHandle",
    "StateChange",
    "SyncClient",
    "SyncClientOperations",
    "SyncConfiguredStart",
    "SyncRunHandle",
    "UnchangedRuns",
    "await_run",
    "cancel",
    "configure",
    "connect",
    "connect_sync",
    "disconnect",
    "events",
    "get_run",
    "options",
    "query",
    "set_attributes",
    "signal",
    "start",
    "unblock",
]

give_public_names(globals()[name] for name in __all__)
