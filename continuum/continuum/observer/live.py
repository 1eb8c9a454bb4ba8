"""The live stream of a page: the parts that have changed, as often as the database can bear.

The page names the digests of what it shows, so nothing that changed while it was loaded is missed. A tab in
the background closes its stream, and opens it again when it is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from continuum.errors import ContinuumError
from continuum.observer.limits import LIVE_EVERY_SECONDS, LIVE_SHARE, SHORTEST_LIVE_SECONDS
from continuum.observer.page import Page
from continuum.observer.rendering import Templates, digest_of
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
    before = seen.split(".") if seen else []
    loop = asyncio.get_running_loop()
    while not ending.is_set():
        began = loop.time()
        try:
            regions = templates.regions(page, visit, await page.read(visit), **more)
        except ContinuumError:
            # Each part says itself what is the matter with it; this page as a whole is gone or the database
            # is. The browser keeps what it shows.
            regions = {}
        if not shown and len(before) == len(regions):
            shown = dict(zip(regions, before, strict=True))
        changed = []
        for name, text in regions.items():
            digest = digest_of(text)
            if shown.get(name) != digest:
                shown[name] = digest
                changed.append(f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{text}</hx-partial>')
        if changed:
            yield "".join(changed)
        took = loop.time() - began
        try:
            async with asyncio.timeout(max(LIVE_EVERY_SECONDS, took / LIVE_SHARE, SHORTEST_LIVE_SECONDS)):
                await ending.wait()
        except TimeoutError:
            continue
