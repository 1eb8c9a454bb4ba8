"""Notifications over LISTEN: one direct connection, reconnected for ever.

What was missed while the connection was down is unknown, so an empty notification for
every topic follows each (re)connection. With listening switched off there are no
notifications at all, and the callers' polls keep every promise.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import psycopg

from continuum.errors import JournalUnavailable
from continuum.journal.limits import LISTEN_CHECK_SECONDS
from continuum.journal.outages import Outage
from continuum.journal.port import Notification, Topic
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.watched_connection import WatchedConnection

# A restarting Postgres is back within seconds; many nodes must not call it in step.
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0


async def listen(
    database: Database, channels: Mapping[str, Topic], *, enabled: bool, outage: Outage
) -> AsyncIterator[Notification]:
    """Yield the notifications of these channels."""
    if not enabled:
        await asyncio.get_running_loop().create_future()
    delay = FIRST_RETRY_SECONDS
    while True:
        connection: WatchedConnection | None = None
        try:
            connection = await database.listen(list(channels))
            delay = FIRST_RETRY_SECONDS
            outage.answered()
            for topic in channels.values():
                # An announcement that was missed is also work that may have been missed.
                yield Notification(Topic.WORK if topic is Topic.STARTED else topic, ())
            async with aclosing(_arrivals(connection)) as arrivals:
                async for channel, payload in arrivals:
                    yield Notification(channels[channel], tuple(payload.split(",")) if payload else ())
        except (JournalUnavailable, psycopg.OperationalError, psycopg.InterfaceError) as error:
            outage.failed("listening for notifications", error)
        finally:
            if connection is not None:
                await connection.close()
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))
        delay = min(delay * 2, LAST_RETRY_SECONDS)


async def _arrivals(connection: WatchedConnection) -> AsyncGenerator[tuple[str, str], None]:
    """Yield (channel, payload), asleep until the server sends something, or a sign of life is due.

    The driver's own `notifies` wakes ten times a second, in every process of an idle node.
    """
    arrived: deque[psycopg.Notify] = deque()
    # Also called for what arrives with the answer to a question.
    connection.add_notify_handler(arrived.append)
    while True:
        if not await connection.readable(LISTEN_CHECK_SECONDS):
            await connection.execute(b"SELECT 1")
        connection.take_in()
        while arrived:
            notify = arrived.popleft()
            yield notify.channel, notify.payload
