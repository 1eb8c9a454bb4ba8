"""Find a run, read why it waits, do what helps, see that it is done: with the keyboard alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from selenium.webdriver.common.keys import Keys

from continuum import connect
from tests.browser.chromium import Browser
from tests.browser.shop import Order, order_flow

# More than there are links, buttons and fields before any field of a page.
MOST_TABS = 60


def tab_to(browser: Browser, selector: str) -> None:
    """Press Tab until what a selector finds has the focus."""
    for _ in range(MOST_TABS):
        if browser.driver.execute_script(f"return document.activeElement.matches({selector!r})"):
            return
        browser.press(Keys.TAB)
    raise AssertionError(f"the keyboard does not reach {selector}")


async def waiting_run(dsn: str, schema: str) -> str:
    """Start an order that waits for its approval, and return its id."""
    async with connect(dsn, schema=schema) as client:
        run = await client.start(order_flow, Order("journey", "waits"), attributes={"fate": "journey"})
        async with aclosing(client.events(workflow=order_flow)) as changes:
            async for _ in changes:
                if await run.state() == "suspended":
                    break
        return run.id


def test_find_explain_fix_done_by_keyboard_alone(browser: Browser, shop: str, schema_name: str) -> None:
    run = asyncio.run(waiting_run(shop, schema_name))
    browser.open("/")
    browser.find("#search")
    browser.press("/")
    browser.press("@fate:journey" + Keys.ENTER)
    browser.find(f'a[data-row][href="/runs/{run}"]')
    browser.press("j")
    browser.press(Keys.ENTER)
    assert "aits for signal approve" in browser.find("#live_explanation").text
    tab_to(browser, "#live_explanation input[name$=':value']")
    browser.press("yes" + Keys.ENTER)
    assert "Signal approve is sent" in browser.find(".banner[role=status]").text
    browser.find("#live_explanation .state.completed")
    assert "parcel of journey" in browser.find("#live_values").text
    assert browser.complaints() == []
