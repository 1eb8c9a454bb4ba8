"""How near the connections of all nodes come to what the server accepts."""

from __future__ import annotations

from typing import NamedTuple

# Clients come and go, and a question about a silent connection takes one more: a fifth is kept for that.
USUAL_PART = 0.8


class ConnectionRoom(NamedTuple):
    """How many connections the server accepts from us, the nodes may open, and all others have now."""

    accepted: int
    nodes: int
    others: int

    @property
    def warning(self) -> str | None:
        """A sentence that ends in what to do, if the limit is near."""
        if self.nodes + self.others <= USUAL_PART * self.accepted:
            return None
        return (
            f"the nodes of this schema may open {self.nodes} connections and others have {self.others} now, "
            f"but Postgres accepts {self.accepted}: raise max_connections, run fewer hosts, give nodes fewer "
            "with --connections, or put a pooler in between (--no-listen)"
        )
