"""The check that no other live node has the name of a node that is about to start."""

from __future__ import annotations

from continuum.errors import ClusterError
from continuum.journal.postgres import PostgresJournal
from continuum_actors.node.recovery import is_alive


async def refuse_taken_name(dsn: str, schema: str, name: str) -> None:
    """Raise `ClusterError` if a live node has this name; a node that died may come back under its own.

    Two nodes of one name would renew and release each other's leases.
    """
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        for node in await journal.nodes():
            if node.node == name and node.state != "lost" and is_alive(node.pid):
                raise ClusterError(
                    f"a node named {name} is running (pid {node.pid}); stop it, or choose another --name"
                )
    finally:
        await journal.close()
