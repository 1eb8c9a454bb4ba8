"""Every page, in light and dark, wide and narrow: readable for all, and made of nothing from elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from continuum import connect
from continuum.observer.page import Page
from continuum.observer.pages import PAGES
from tests.browser.chromium import Browser

KILOBYTE = 1024
LARGEST_PAGE = 150 * KILOBYTE


@pytest.fixture(scope="session")
def some_run(shop: str, schema_name: str) -> str:
    """The id of a run that has failed."""

    async def asking() -> str:
        async with connect(shop, schema=schema_name) as client:
            return (await client.query(find="state:failed", limit=1)).entries[0].id

    return asyncio.run(asking())


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_page_can_be_read_by_everybody(
    browser: Browser, some_run: str, page: Page, dark: bool, width: int
) -> None:
    browser.look(width=width, dark=dark)
    browser.open(page.path.format(run=some_run))
    assert browser.find("h1").text
    assert browser.barriers() == []
    assert not browser.overflows()
    assert browser.complaints() == []
    assert browser.foreign_requests() == []
    assert len(browser.driver.page_source.encode()) < LARGEST_PAGE
    assert browser.driver.title != "owned"
