"""PgBouncer in transaction mode in front of a server: each transaction has another session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from continuum.local_postgres.account import server_account
from tests.process.supervision.observing import free_port

SESSIONS = 3


@contextmanager
def pgbouncer(dsn: str, *, mode: str = "transaction") -> Iterator[str]:
    """Yield the DSN of a pooler whose sessions are handed out in turn; skip the test without PgBouncer."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    account = server_account(os.environ, uid=os.geteuid())
    facts = conninfo_to_dict(dsn)
    named = {"host": "host", "port": "port", "dbname": "dbname", "user": "user", "password": "password"}
    target = " ".join(f"{ours}='{facts[name]}'" for name, ours in named.items() if facts.get(name))
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        sessions = SESSIONS if mode == "transaction" else 20
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npooled = {target}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {sessions}\n"
            "server_round_robin = 1\n",
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [program, *(["-u", account.name] if account.changes else []), str(settings)],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "process up" in line:
                    break
            yield make_conninfo(
                host="127.0.0.1", port=port, dbname="pooled", user="anyone", sslmode="disable"
            )
        finally:
            process.kill()
            process.communicate()
