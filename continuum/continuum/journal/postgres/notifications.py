"""Notifications over LISTEN: on the connection that commits, opened again for ever.

What was missed while the connection was down is unknown, so an empty notification for
every topic follows each (re)connection. With listening switched off there are no
notifications at all, and the callers' polls keep every promise.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping

import psycopg

from continuum.errors import JournalUnavailable
from continuum.journal.limits import LISTEN_CHECK_SECONDS
from continuum.journal.outages import Outage
from continuum.journal.port import Notification, Topic
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.lane import Ear

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
        ear: Ear | None = None
        try:
            ear = await database.listen(list(channels))
            delay = FIRST_RETRY_SECONDS
            outage.answered()
            for topic in channels.values():
                # An announcement that was missed is also work that may have been missed.
                yield Notification(Topic.WORK if topic is Topic.STARTED else topic, ())
            while True:
                arrived = await ear.next(LISTEN_CHECK_SECONDS)
                if arrived is None:
                    await database.sign_of_life(LISTEN_CHECK_SECONDS)
                else:
                    channel, payload = arrived
                    yield Notification(channels[channel], tuple(payload.split(",")) if payload else ())
        except (JournalUnavailable, psycopg.OperationalError, psycopg.InterfaceError) as error:
            outage.failed("listening for notifications", error)
        finally:
            if ear is not None:
                database.stop_listening(ear)
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))
        delay = min(delay * 2, LAST_RETRY_SECONDS)
