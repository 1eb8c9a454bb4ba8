"""A real Postgres with no set-up: pip-installed binaries, started on demand, stopped after its last user.

Read `server.py` first: what a process does to start, share and leave a server.
`keeper.py` is the small parent of the server that outlives any one of them,
`directory.py` says where things lie and whose they are, `account.py` under which
user the server runs, `binaries.py` where its programs come from, `locks.py` how
processes agree. Nothing here knows a workflow, a schema or a query.
"""

from __future__ import annotations

from continuum.local_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
