"""The order in which a run takes inbox rows, and which of them it has consumed.

A row leaves the inbox with the write that turns it into history. Until that is durable, and
in a fetch that had begun before it was, the row is read once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from continuum.journal.port import InboxKind, InboxRow

_LOST = frozenset((InboxKind.ACTIVITY_CRASHED, InboxKind.ACTIVITY_TIMED_OUT, InboxKind.ACTIVITY_INTERRUPTED))


def answers_first(rows: Sequence[InboxRow]) -> Sequence[InboxRow]:
    """Return rows in order, those of lost attempts last: an answer that came too counts instead."""
    if len(rows) < 2:
        return rows
    return sorted(rows, key=lambda row: row.kind in _LOST)


def stop_request_in(rows: Iterable[InboxRow]) -> InboxRow | None:
    """Return the first request to cancel the run, None if there is none."""
    return next((row for row in rows if row.kind is InboxKind.CANCEL), None)


class ConsumedMail:
    """Row ids; each is forgotten when no fetch that is under way can return it."""

    __slots__ = ("_removed_at",)

    def __init__(self) -> None:
        # The router's fetch number when the row's removal became durable, None until then.
        self._removed_at: dict[int, int | None] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._removed_at

    def add(self, row: int) -> None:
        """Record that a row has been consumed."""
        self._removed_at[row] = None

    def removed(self, rows: Iterable[int], fetch: int) -> None:
        """Record that the rows' removal is durable, while the fetch with this number was the latest."""
        for row in rows:
            self._removed_at[row] = fetch

    def forget_before(self, fetch: int) -> None:
        """Forget rows whose removal was durable before this fetch began."""
        gone = [row for row, durable in self._removed_at.items() if durable is not None and durable < fetch]
        for row in gone:
            del self._removed_at[row]
