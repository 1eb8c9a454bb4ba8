"""What a look through the next runs of an order has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from continuum.journal.facts import RunRow


class LookedThrough(NamedTuple):
    """Those of the next `looked_at` runs that a query asks for, in its order.

    `place` is that of the last run that was looked at, from where another look continues; None if there are
    no more runs, or if there are more `rows` than the query wants: then it continues after its last row.
    """

    rows: Sequence[RunRow]
    place: tuple[Any, str] | None
    looked_at: int
