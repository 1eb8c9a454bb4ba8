"""Calls that type checkers must accept, and calls that they must refuse.

Nothing here runs. The strict type check of the suite fails if a valid call is refused. It also
fails if an invalid call is accepted, because an unneeded ignore is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

import continuum
from continuum import Client, RunHandle, Signal, SyncClient, SyncRunHandle, workflow


@dataclass
class Order:
    """An order."""

    id: str


verdict = Signal("verdict", str)


@workflow(label=1)
async def order_flow(order: Order) -> str:
    """Takes one argument."""
    return order.id


@workflow
async def many(first: int, second: str = "x", *, third: bool = False) -> int:
    """Takes optional arguments."""
    return first


@workflow
async def named_like_options(id: int, *, namespace: bytes = b"") -> str:
    """Takes arguments that are called like options."""
    return str(id)


@workflow
async def alone() -> None:
    """Takes none."""


@workflow
async def optional(first: int = 0) -> bytes:
    """Takes one, or none."""
    return bytes(first)


async def accepted(client: Client) -> None:
    """Valid calls."""
    run = await client.start(order_flow, Order("1"))
    assert_type(run, RunHandle[str])
    text: str = await run.result()
    assert_type(await client.start(order_flow, Order(text), id="i", idempotency_key="k"), RunHandle[str])
    assert_type(await client.start(many, 1, "b", third=True), RunHandle[int])
    assert_type(await client.start(many, 1, namespace="eu"), RunHandle[int])
    assert_type(await client.start(many, 1, "b", attributes={"a": 1}), RunHandle[int])
    assert_type(await client.start(alone, trace_context="t"), RunHandle[None])
    assert_type(await client.start(optional, id="i"), RunHandle[bytes])
    assert_type(await client.start(optional, 1, id="i"), RunHandle[bytes])
    assert_type(client.handle(run.id, order_flow), RunHandle[str])
    assert_type(await continuum.start(order_flow, Order("1"), on_conflict="raise"), RunHandle[str])
    await client.start("by_name", 1, "b", id="i", anything=3)
    configured = client.options(id="i", attributes={"a": 1}, on_conflict="raise")
    assert_type(await configured.start(named_like_options, id=5, namespace=b"x"), RunHandle[str])
    assert_type(await client.options().start(many, 1, third=True), RunHandle[int])
    assert_type(await continuum.options(namespace="eu").start(alone), RunHandle[None])
    await client.options(id="i").start("by_name", 1, id=3)
    await run.signal(verdict, "yes")
    await run.signal("verdict", {"any": "value"}, delivery_id="d")
    await client.signal(run.id, verdict, "yes", workflow=order_flow, namespace="eu")
    assert_type(await run.read("progress", int), int)
    assert_type(await run.read("progress", int, default=None), int | None)
    assert_type(await client.read(run.id, "progress", Order), Order)
    async for value in run.watch("progress", int):
        assert_type(value, int)


def accepted_sync(client: SyncClient) -> None:
    """Valid calls of the blocking client."""
    run = client.start(order_flow, Order("1"), id="i")
    assert_type(run, SyncRunHandle[str])
    assert_type(run.result(timeout=1), str)
    assert_type(client.options(id="i").start(named_like_options, id=5), SyncRunHandle[str])
    assert_type(run.read("progress", int), int)
    for value in run.watch("progress", int):
        assert_type(value, int)


async def refused(client: Client, run: RunHandle[str]) -> None:
    """Invalid calls, one a line."""
    await client.start(order_flow, 5)  # type: ignore[misc]
    await client.start(order_flow, 5, id="i")  # type: ignore[arg-type, call-arg]
    await client.start(order_flow)  # type: ignore[arg-type, call-arg]
    await client.start(order_flow, id="i")  # type: ignore[arg-type, call-arg]
    await client.start(order_flow, Order("1"), id=5)  # type: ignore[call-arg]
    await client.start(order_flow, Order("1"), unknown=1)  # type: ignore[call-arg]
    await client.start(many, "x", id="i")  # type: ignore[arg-type, call-arg]
    await client.start(many, 1, 2, id="i")  # type: ignore[arg-type, call-arg]
    await client.start(many, 1, fourth=2)  # type: ignore[call-arg]
    client.options(key="k")  # type: ignore[call-arg]
    await client.options().start(named_like_options, id="i")  # type: ignore[call-overload]
    await client.options(id="i").start(many, "x")  # type: ignore[call-overload]
    await continuum.start(order_flow, 5)  # type: ignore[misc]
    number: int = await run.result()  # type: ignore[assignment]
    await run.signal(verdict, number)  # type: ignore[misc]
    number = await run.read("progress", str)  # type: ignore[arg-type]
    await client.get_run(run.id, namespace=None)  # type: ignore[arg-type]
