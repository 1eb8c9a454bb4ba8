"""What visitors do not see, and who is not taken for somebody else, at a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from continuum.observer.options import ObserverOptions
from continuum.observer.page import Page
from continuum.observer.pages import PAGES
from continuum.observer.visitor import Role, Visitor
from tests.browser.conftest import DEADLINE_S, Served
from tests.browser.paths import Examples
from tests.browser.shop import HOSTILE, Order

TOKEN = "0123456789abcdef"
CARD = Order("", "").card


@pytest.fixture(scope="session")
def viewer(shop: str, schema_name: str) -> Iterator[httpx.Client]:
    """A program that may see everything but payloads."""
    tokens = {TOKEN: Visitor("vic", Role.VIEWER)}
    served = Served(shop, schema_name, ObserverOptions(auth="token", tokens=tokens))
    served.start()
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served.address, timeout=DEADLINE_S, headers=headers) as client:
        yield client
    served.stop()


@pytest.mark.parametrize("form", ["", "/api/v1"], ids=["page", "json"])
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_viewer_sees_no_payload(viewer: httpx.Client, examples: Examples, page: Page, form: str) -> None:
    path = examples.of(page)
    answer = viewer.get(path if not form else form + ("" if path == "/" else path))
    assert answer.status_code == 200
    assert CARD not in answer.text
    # A part of the message of the error with which the run failed.
    assert "card declined" not in answer.text
    assert HOSTILE not in answer.text


def test_a_header_does_not_make_a_proxy(observe: Callable[..., Served]) -> None:
    served = observe(auth="proxy", trusted_proxies=("10.0.0.0/8",))
    headers = {"x-forwarded-for": "10.1.2.3", "x-forwarded-user": "eve", "x-forwarded-role": "admin"}
    assert httpx.get(f"{served.address}/api/v1", headers=headers, timeout=DEADLINE_S).status_code == 401
