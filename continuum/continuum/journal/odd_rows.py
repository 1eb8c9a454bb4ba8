"""Rows with a time that no engine writes, which the engine therefore passes over."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class OddRow(NamedTuple):
    """A row, by what the tools call it, with the column whose time is odd, as text."""

    table: str
    column: str
    row: str
    value: str


class OddRows(Protocol):
    """What somebody wrote by hand, and nothing else reports."""

    async def odd_rows(self) -> list[OddRow]:
        """Return rows that are passed over because of an odd time, a bounded number of each kind."""
        ...
