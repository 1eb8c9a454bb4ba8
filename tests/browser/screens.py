"""`python -m tests.browser.screens LINK DIRECTORY PATH...`: pictures of pages, for documents and to look at.

Each page is taken in light and dark, 1280 and 360 pixels wide. LINK is what `continuum observer` prints.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import Browser, chromium

WIDTHS = (1280, 360)
# Longer than a page takes to get its first changes.
SETTLED = "return document.readyState === 'complete'"


def take(browser: Browser, directory: Path, path: str) -> None:
    """Save the four pictures of a page."""
    name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"
    for dark in (False, True):
        for width in WIDTHS:
            browser.look(width=width, dark=dark)
            browser.open(path)
            browser.until(lambda it: it.driver.execute_script(SETTLED))
            browser.picture(directory / f"{name}-{'dark' if dark else 'light'}-{width}.png")


def main(link: str, directory: Path, paths: list[str]) -> None:
    """Sign in, and save the pictures of all pages."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        browser.address = link.partition("/link")[0]
        browser.driver.get(link)
        browser.find("#live_findings")
        for path in paths:
            take(browser, directory, path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
