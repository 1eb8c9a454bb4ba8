"""The outside of a run: start it, signal it, cancel it, wait for it, look at it.

Read `client.py` first. `connecting.py` gets there from a DSN, `sync_client.py` and
`default_instance.py` say the same things blocking and module-wide. `posting.py` posts and
`group_commit.py` shares writes; `waiting.py` shares the wait for ends, `published_values.py` that for
published values (`reading_published.py` is their face); `run_lookup.py` reads single runs and follows chains,
`retrying.py` says what is repeated. `queries.py`, `argument_checks.py`, `contracts.py` and
`namespaces.py` say what is let through, `runs.py` and `histories.py` what comes back.
Nothing here knows an actor.
"""

from __future__ import annotations

from continuum.client.client import Client
from continuum.client.connecting import connect
from continuum.client.handles import RunHandle
from continuum.client.histories import Event
from continuum.client.runs import Page, Run, RunError
from continuum.client.sync_client import SyncClient, SyncRunHandle, connect_sync

__all__ = [
    "Client",
    "Event",
    "Page",
    "Run",
    "RunError",
    "RunHandle",
    "SyncClient",
    "SyncRunHandle",
    "connect",
    "connect_sync",
]
