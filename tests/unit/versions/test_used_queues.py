"""Limits for queues that nothing uses: they are named, with the nearest name."""

from __future__ import annotations

import pytest

from continuum import activity, workflow
from continuum.versions.loaded_code import Code
from continuum.versions.used_queues import unused_queues


@activity(name="queues_charge", queue="payments")
async def charge() -> None:
    """Charge a card."""


@activity(name="queues_pack")
async def pack() -> None:
    """Pack a parcel."""


@workflow(name="queues_order")
async def order() -> None:
    """Charge, then pack, in the queue of this call."""
    await charge()
    await pack.options(queue="night shift")()


CODE = Code([order], [charge, pack])


@pytest.mark.parametrize("queue", ["payments", "night shift"])
def test_a_queue_that_an_activity_or_a_call_names_is_used(queue: str) -> None:
    assert list(unused_queues(CODE, {queue: 4})) == []


def test_a_misspelt_queue_is_named_with_the_nearest() -> None:
    # No text of this module names it.
    misspelt = "payments"[:-1]
    assert list(unused_queues(CODE, ["payments", misspelt])) == [
        f"nothing that is loaded uses queue {misspelt!r}; the nearest name is payments"
    ]


def test_code_without_any_source_uses_what_its_activities_have() -> None:
    def typed() -> None:
        """Is of no module."""

    typed.__module__ = "typed_into_an_interpreter"
    code = Code([], [activity(name="queues_typed", queue="typed")(typed)])
    other = "typed"[::-1]
    assert list(unused_queues(code, {"typed": 1, other: 1})) == [
        f"nothing that is loaded uses queue {other!r}"
    ]
