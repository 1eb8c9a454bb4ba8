"""Writes that share a commit: what is written again after an unknown outcome, and after a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from continuum.client.group_commit import GroupCommit
from continuum.errors import InvalidOption, JournalUnavailable
from tests.unit.client.jumping_loop import run_jumping


class Writes:
    """Notes each attempt, and answers with the next of these outcomes."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.attempts: list[tuple[str, ...]] = []
        self._outcomes = list(outcomes)

    async def write(self, items: Sequence[str]) -> Sequence[str]:
        """Write items; their results are the items themselves."""
        self.attempts.append(tuple(items))
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if outcome is not None:
            raise outcome
        return items


def marked(item: str) -> str:
    """Return an item with a mark for each attempt before."""
    return f"{item}'"


def test_an_item_is_marked_only_when_it_is_written_again() -> None:
    async def main() -> None:
        writes = Writes()
        group = GroupCommit(writes.write, marked)
        assert [await group.add(item) for item in "ab"] == ["a", "b"]
        assert writes.attempts == [("a",), ("b",)]

    run_jumping(main)


def test_items_are_marked_after_an_attempt_whose_outcome_is_unknown() -> None:
    async def main() -> None:
        writes = Writes(JournalUnavailable("gone"), JournalUnavailable("gone"))
        group = GroupCommit(writes.write, marked)
        await asyncio.gather(group.add("a"), group.add("b"))
        assert writes.attempts == [("a", "b"), ("a'", "b'"), ("a''", "b''")]

    run_jumping(main)


def test_items_of_a_refused_batch_are_written_alone_and_marked() -> None:
    async def main() -> None:
        writes = Writes(InvalidOption("b is wrong"), None, InvalidOption("b is wrong"))
        group = GroupCommit(writes.write, marked)
        first, second = asyncio.create_task(group.add("a")), asyncio.create_task(group.add("b"))
        assert await first == "a'"
        with pytest.raises(InvalidOption):
            await second
        assert writes.attempts == [("a", "b"), ("a'",), ("b'",)]

    run_jumping(main)
