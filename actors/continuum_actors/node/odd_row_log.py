"""The log of odd rows: one line for each row that is passed over, in each process that notices it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from continuum.journal.odd_rows import OddRow
from continuum.operations.odd_row_advice import advice_for
from continuum.quoting import one_line

log = logging.getLogger("continuum.recovery")


class OddRowLog:
    """Remembers what the last look has found: a row is logged again only if it was mended meanwhile."""

    def __init__(self) -> None:
        self._known: frozenset[OddRow] = frozenset()

    def report(self, rows: Sequence[OddRow]) -> None:
        """Log the rows that the last look did not find."""
        for row in rows:
            if row not in self._known:
                what, effect, mend = advice_for(row)
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
