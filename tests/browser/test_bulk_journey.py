"""A change of many runs by keyboard alone, from the search to its end; and ticks that outlive updates."""

from __future__ import annotations

import asyncio

from selenium.webdriver.common.keys import Keys

from continuum import connect
from tests.browser.chromium import Browser
from tests.browser.shop import Order, order_flow


def _tab_to(browser: Browser, text: str) -> None:
    """Press Tab until what has this text, label or id has the focus."""
    for _ in range(200):
        browser.press(Keys.TAB)
        focused = browser.driver.switch_to.active_element
        if text in (focused.text, focused.get_attribute("id")):
            return
    raise AssertionError(f"Tab does not lead to {text}")


def test_failed_runs_are_restarted_by_keyboard_alone(browser: Browser) -> None:
    browser.open("/runs")
    browser.press("/")
    browser.press("state:failed workflow:shop.order" + Keys.ENTER)
    browser.until(lambda it: "q=state" in it.driver.current_url)
    _tab_to(browser, "All that match…")
    browser.press(Keys.ENTER)
    browser.until(lambda it: "/runs/bulk" in it.driver.current_url)
    _tab_to(browser, "restart")
    browser.press(Keys.ENTER)
    lead = browser.find("[aria-label=Preview] .lead").text
    _tab_to(browser, "confirm")
    browser.press(lead.partition(" ")[0])
    _tab_to(browser, "Restart them")
    browser.press(Keys.ENTER)
    browser.until(lambda it: "/operations/" in it.driver.current_url)
    browser.find("#live_progress .state.completed")
    assert "this cannot be undone" in lead
    assert browser.texts("#live_progress .figures dd")[0] == lead.partition(" ")[0]
    assert browser.complaints() == []


async def _start(dsn: str, schema: str) -> str:
    async with connect(dsn, schema=schema) as client:
        return (await client.start(order_flow, Order("ticked", "shipped"))).id


def test_a_tick_stays_with_its_run_while_others_appear(browser: Browser, shop: str, schema_name: str) -> None:
    browser.open("/runs?q=workflow:shop.order")
    ticked = browser.find("tbody tr")
    row = ticked.get_attribute("id")
    browser.press("j")
    browser.press("x")
    run = asyncio.run(_start(shop, schema_name))
    browser.find(f"#run-{run}")
    assert browser.texts("tr:has(input:checked)") == browser.texts(f"[id='{row}']")
