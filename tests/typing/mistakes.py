# mypy: ignore-errors
"""Ten mistakes for the type checkers to find, each on a marked line; four functions have none.

The first line silences the linter of this repository; the test removes it before it runs the checkers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_type

import continuum
from continuum import Client, Signal, StateChange, activity, saga, wait_signal, workflow


@dataclass(frozen=True)
class Order:
    id: str
    cents: int


review = Signal("typing.review", str)


@activity(name="typing.charge")
async def charge(order: Order, *, note: str = "") -> str:
    return f"payment of {order.cents} {note}"


@activity(name="typing.count")
def count(order: Order) -> int:
    return order.cents


@activity(name="typing.refund")
def refund(payment: str) -> None: ...


@workflow(name="typing.process", signals=[review])
async def process(order: Order) -> str:
    return await charge(order)


async def wrong_argument_type() -> str:
    return await charge("order-1")  # WRONG


async def missing_argument() -> str:
    return await charge()  # WRONG


async def unknown_keyword(order: Order) -> str:
    return await charge(order, notes="urgent")  # WRONG


async def wrong_compensation_argument(order: Order) -> None:
    async with saga() as undo:
        undo.add(refund, order)  # WRONG


async def wrong_start_input(client: Client) -> None:
    await client.start(process, 5)  # WRONG


async def wrong_start_input_beside_options(client: Client) -> None:
    await client.options(id="i").start(process, 5)  # WRONG


async def wrong_signal_value(client: Client, run_id: str) -> None:
    await client.signal(run_id, review, 5)  # WRONG


async def wrong_result_type(order: Order) -> int:
    return await charge(order)  # WRONG


async def wrong_continue_as_new_argument() -> None:
    process.continue_as_new("order-1")  # WRONG


@workflow(version=2)  # WRONG
async def label_called_version() -> None: ...


async def calls_side_by_side_keep_their_types(order: Order) -> None:
    payment, cents = await asyncio.gather(charge(order), count(order))
    assert_type(payment, str)
    assert_type(cents, int)
    async with asyncio.TaskGroup() as group:
        configured = group.create_task(charge.options(timeout=5)(order))
        child = group.create_task(process(order))
    assert_type((configured.result(), child.result()), tuple[str, str])


async def a_wait_may_have_a_default_of_another_type() -> None:
    assert_type(await review.wait(), str)
    assert_type(await review.wait(timeout=1, default=None), str | None)
    assert_type(await review.wait(1, 0), str | int)
    assert_type(await wait_signal("anything", default=None), Any)


async def changes_of_states_have_their_type(client: Client) -> None:
    async for change in continuum.events(workflow=process):
        assert_type(change, StateChange)
    async for change in client.events(cursor="now"):
        assert_type(change, StateChange)


async def no_mistake(client: Client, order: Order) -> str:
    async with saga() as undo:
        payment = await charge.options(timeout=5)(order, note="urgent")
        undo.add(refund, payment)
    run = await client.start(process, order, idempotency_key="order-1")
    await client.signal(run.id, review, "approved")
    again = await client.options(id="i", attributes={"a": 1}).start(process, order=order)
    assert_type(await again.result(), str)
    configured = process.options(id="more", parent_close_policy="cancel")
    assert_type(await (await configured.start_child(order=order)), str)
    handle = await process.start_child(order, id="again")
    child: str = await handle
    if child:
        process.continue_as_new(order)
    return await run.result()
