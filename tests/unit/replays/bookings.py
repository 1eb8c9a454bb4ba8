"""Workflows whose lines tests look for; a comment marks each line that asks for something."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import continuum
from continuum import Signal, activity, workflow

answer = Signal("answer", str)


@activity(name="bookings_reserve")
async def reserve(seat: int) -> int:
    """Reserve a seat."""
    return seat


async def both(first: int, second: int) -> tuple[int, int]:
    """Reserve two seats side by side."""
    return await asyncio.gather(
        reserve(first),  # asks: first seat
        reserve(second),  # asks: second seat
    )


@workflow(name="bookings_book")
async def book(seat: int) -> str:
    """Reserve two seats, wait for an answer, and say when."""
    seats = await both(seat, seat + 1)
    await continuum.sleep(timedelta(hours=1))  # asks: timer
    word = await answer.wait()  # asks: answer
    await reserve(  # asks: last seat
        seats[0],
    )
    return f"{word} {continuum.now():%Y}"  # asks: clock
