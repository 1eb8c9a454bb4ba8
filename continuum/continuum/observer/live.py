"""The live stream of a page: the parts that have changed, as often as the database can bear.

The page names the digests of what it shows, so nothing that changed while it was loaded is missed. A tab in
the background closes its stream, and opens it again when it is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from continuum.errors import ContinuumError, JournalUnavailable
from continuum.observer.limits import (
    LIVE_EVERY_SECONDS,
    LIVE_SHARE,
    SHORTEST_LIVE_SECONDS,
    TRY_AGAIN_SECONDS,
)
from continuum.observer.page import Page
from continuum.observer.rendering import Templates, digest_of
from continuum.observer.texts import moment
from continuum.observer.visit import Visit

SEEN = "seen"


async def changes(
    page: Page,
    visit: Visit,
    templates: Templates,
    more: dict[str, Any],
    seen: str,
    ending: asyncio.Event,
) -> AsyncIterator[str]:
    """Yield the parts of a page that differ from what the browser shows, until `ending`; it shows `seen`."""
    shown: dict[str, str] = {}
    # What the notice says, which a stream before this one may have left, and as of when the page is.
    noticed: str | None = None
    good = moment(visit.now())
    before = seen.split(".") if seen else []
    loop = asyncio.get_running_loop()
    while not ending.is_set():
        began = loop.time()
        try:
            regions = templates.regions(page, visit, await page.read(visit), **more)
        except ContinuumError as error:
            # Each part says itself what is the matter with it; this page as a whole is gone or the database
            # is. The browser keeps what it shows, and says so.
            regions, trouble = {}, _told(error)
        else:
            trouble, good = "", moment(visit.now())
        if regions and not shown and len(before) == len(regions):
            shown = dict(zip(regions, before, strict=True))
        changed = []
        if trouble != noticed:
            noticed = trouble
            changed.append(_partial("notice", templates.notice(trouble, good)))
        for name, text in regions.items():
            digest = digest_of(text)
            if shown.get(name) != digest:
                shown[name] = digest
                changed.append(_partial(name, text))
        if changed:
            yield "".join(changed)
        took = loop.time() - began
        pause = max(LIVE_EVERY_SECONDS, took / LIVE_SHARE, SHORTEST_LIVE_SECONDS)
        try:
            async with asyncio.timeout(min(pause, TRY_AGAIN_SECONDS) if trouble else pause):
                await ending.wait()
        except TimeoutError:
            continue


def _partial(name: str, text: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{text}</hx-partial>'


def _told(error: ContinuumError) -> str:
    """Return what the page says while it cannot be read."""
    if isinstance(error, JournalUnavailable):
        return "The database does not answer. This page continues by itself once it does."
    return str(error)
