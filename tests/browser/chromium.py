"""`Browser`: Chromium as a person has it, with what the tests ask of every page.

It is Debian's Chromium with the driver of the same version; nothing is downloaded. All traffic stays on
loopback: every other name leads nowhere.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = "chromium", "chromedriver"
DEADLINE_S = 20.0
AXE = (Path(__file__).parent / "axe-4.14.1.min.js").read_text()
# WCAG 2.2 AA, as axe names its parts.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def missing() -> str | None:
    """Return which of the two programs is not here."""
    return next((name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None), None)


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome, address: str = "") -> None:
        self.driver = driver
        self.address = address
        self._signed_in: set[str] = set()

    def has_session(self, address: str) -> bool:
        """Return whether it has signed in at this address since it started; a link works once."""
        known = address in self._signed_in
        self._signed_in.add(address)
        return known

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show pages this large, in light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, path: str) -> None:
        """Open a page of the observer."""
        self.driver.get(self.address + path)

    def find(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector finds, once there is one."""
        wait = WebDriverWait(self.driver, DEADLINE_S)
        element: WebElement = wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))
        return element

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a CSS selector finds."""
        return [each.text for each in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def until(self, what: Any) -> Any:
        """Wait until a function of this browser returns something true, and return it."""
        return WebDriverWait(self.driver, DEADLINE_S).until(lambda _driver: what(self))

    def press(self, keys: str) -> None:
        """Type, whatever has the focus."""
        webdriver.ActionChains(self.driver).send_keys(keys).perform()

    def barriers(self) -> list[str]:
        """Return what axe finds: what some people could not read or reach."""
        self.driver.execute_script(AXE)
        found = self.driver.execute_async_script(
            "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then(done)", RULES
        )
        return [
            f"{each['id']}: {node['html']} ({node['failureSummary']})"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def complaints(self) -> list[str]:
        """Return what the browser has complained about: errors, refused scripts and styles, lost files."""
        return [entry["message"] for entry in self._log("browser") if entry["level"] != "INFO"]

    def foreign_requests(self) -> list[str]:
        """Return the addresses asked for since the last call that are not the observer's."""
        ours = urlsplit(self.address).netloc
        asked = []
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return [url for url in asked if url.startswith(("http", "ws")) and urlsplit(url).netloc != ours]

    def overflows(self) -> bool:
        """Return whether the page is wider than its window."""
        return bool(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )

    def picture(self, file: Path) -> None:
        """Save what the whole page looks like, up to a height of 4,000 pixels."""
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": self.width(), "height": min(height, 4000), "scale": 1}
        options = {"format": "png", "captureBeyondViewport": True, "clip": clip}

        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
        file.write_bytes(base64.b64decode(taken["data"]))

    def _log(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries

    def width(self) -> int:
        """Return how wide the window is."""
        return int(self.driver.execute_script("return window.innerWidth"))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a new profile; it ends with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which(CHROMIUM))
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which(DRIVER))))
    driver.set_page_load_timeout(DEADLINE_S)
    driver.set_script_timeout(DEADLINE_S)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
