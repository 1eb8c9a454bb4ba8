"""The log of odd rows: one line for each row that is passed over, in each process that notices it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from continuum.journal.odd_rows import OddRow
from continuum.quoting import one_line

log = logging.getLogger("continuum.recovery")

# What the row is called, what comes of the odd time, and what to do.
_MEANINGS = {
    ("runs", "due_at"): (
        "run",
        "no node continues it",
        "look at it with `continuum verify`, and set its due_at to now() or to the time that was meant",
    ),
    ("runs", "retain_until"): (
        "run",
        "it is never removed",
        "set its retain_until to NULL if it is to be kept, else to the time that was meant",
    ),
    ("tasks", "due_at"): (
        "activity task",
        "no node begins it",
        "set its due_at to now()",
    ),
    ("workers", "expires_at"): (
        "worker",
        "no other node takes over its runs when its process is gone",
        "look at it with `continuum verify`, and set its expires_at to now()",
    ),
    ("nodes", "renewed_at"): (
        "node",
        "it is listed for ever",
        "delete its row if the node is gone",
    ),
    ("suspects", "since"): (
        "suspect",
        "it is suspected for ever",
        "set its since to now()",
    ),
    ("suspects", "killed_at"): (
        "suspect",
        "its workflow may be kept apart for ever",
        "set its killed_at to NULL",
    ),
}


class OddRowLog:
    """Remembers what the last look has found: a row is logged again only if it was mended meanwhile."""

    def __init__(self) -> None:
        self._known: frozenset[OddRow] = frozenset()

    def report(self, rows: Sequence[OddRow]) -> None:
        """Log the rows that the last look did not find."""
        for row in rows:
            if row not in self._known:
                what, effect, mend = _MEANINGS[row.table, row.column]
                log.warning(
                    "%s %s has the %s %s in table %s: %s; %s",
                    what,
                    one_line(row.row),
                    row.column,
                    one_line(row.value),
                    row.table,
                    effect,
                    mend,
                )
        self._known = frozenset(rows)
