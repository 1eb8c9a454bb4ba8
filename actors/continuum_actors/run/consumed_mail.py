"""Which inbox rows a run has taken, for as long as they may turn up again.

A row leaves the inbox with the write that turns it into history; until that is
durable, and in a fetch that had begun before it was, the row is read once more.
"""

from __future__ import annotations

from collections.abc import Iterable


class TakenRows:
    """Row ids; each is forgotten when no fetch under way can have it."""

    __slots__ = ("_fetches",)

    def __init__(self) -> None:
        # The router's fetch number when the row's removal became durable, None until then.
        self._fetches: dict[int, int | None] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._fetches

    def add(self, row: int) -> None:
        """Note that a row has been taken."""
        self._fetches[row] = None

    def removed(self, rows: Iterable[int], fetch: int) -> None:
        """Note that the rows' removal is durable, while the fetch with this number was the latest."""
        for row in rows:
            self._fetches[row] = fetch

    def forget_before(self, fetch: int) -> None:
        """Forget rows whose removal was durable before this fetch began."""
        gone = [row for row, durable in self._fetches.items() if durable is not None and durable < fetch]
        for row in gone:
            del self._fetches[row]
