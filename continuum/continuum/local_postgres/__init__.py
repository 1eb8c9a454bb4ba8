"""A real Postgres with no set-up: pip-installed binaries, started on demand, stopped after its last user.

Read `server.py` first: how a process starts, shares and leaves a server. `keeper.py` is the small
parent process of the server, which outlives the processes that use it. `directory.py` holds the paths
and checks their owner, `account.py` chooses the user that runs the server, `binaries.py` finds its
programs, and processes coordinate through `locks.py`. Nothing here knows a workflow, a schema or a query.
"""

from __future__ import annotations

from continuum.local_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
