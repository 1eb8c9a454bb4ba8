"""What an open page shows of what happens meanwhile."""

from __future__ import annotations

import asyncio

from continuum import connect
from tests.browser.chromium import Browser
from tests.browser.shop import Order, order_flow


async def _start(dsn: str, schema: str) -> str:
    async with connect(dsn, schema=schema) as client:
        return (await client.start(order_flow, Order("late", "shipped"))).id


def test_a_new_run_appears_on_an_open_page(browser: Browser, shop: str, schema_name: str) -> None:
    browser.open("/runs?q=workflow:shop.order")
    browser.driver.execute_script("window.stays = true")
    run = asyncio.run(_start(shop, schema_name))
    browser.find(f'a[href="/runs/{run}"]')
    assert browser.driver.execute_script("return window.stays"), "the page was loaded again"
    assert browser.complaints() == []
