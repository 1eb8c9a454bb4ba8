"""Every page, in light and dark, wide and narrow: readable for all, and made of nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum.observer.page import Page
from continuum.observer.pages import PAGES
from tests.browser.chromium import Browser
from tests.browser.paths import Examples

KILOBYTE = 1024
LARGEST_PAGE = 150 * KILOBYTE


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_page_can_be_read_by_everybody(
    browser: Browser, examples: Examples, page: Page, dark: bool, width: int, tmp_path: Path
) -> None:
    browser.look(width=width, dark=dark)
    browser.open(examples.of(page))
    assert browser.find("h1").text
    assert browser.barriers() == []
    assert not browser.overflows()
    assert browser.complaints() == []
    assert browser.foreign_requests() == []
    assert len(browser.driver.page_source.encode()) < LARGEST_PAGE
    assert browser.driver.title != "owned"
    picture = tmp_path / "page.png"
    browser.picture(picture)
    # A page that shows nothing is a few kilobytes of one colour.
    assert picture.stat().st_size > 5 * KILOBYTE
