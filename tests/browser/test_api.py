"""The records of every page as JSON, and the document that describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from jsonschema import Draft202012Validator

from continuum.observer.openapi import openapi
from continuum.observer.options import ObserverOptions
from continuum.observer.page import Page
from continuum.observer.pages import PAGES
from continuum.observer.visitor import Role, Visitor
from tests.browser.conftest import DEADLINE_S, Served
from tests.browser.paths import Examples

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="session")
def caller(shop: str, schema_name: str) -> Iterator[httpx.Client]:
    """A program with a token."""
    tokens = {TOKEN: Visitor("program", Role.OPERATOR)}
    served = Served(shop, schema_name, ObserverOptions(auth="token", tokens=tokens))
    served.start()
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served.address, timeout=DEADLINE_S, headers=headers) as client:
        yield client
    served.stop()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_page_answers_as_the_document_says(
    caller: httpx.Client, examples: Examples, page: Page
) -> None:
    document = caller.get("/api/v1/openapi.json").json()
    path = "/api/v1" + ("" if page.path == "/" else examples.of(page))
    answer = caller.get(path)
    assert answer.status_code == 200, answer.text
    # The document names parameters without the kind that the route gives them.
    described = "/api/v1" + ("" if page.path == "/" else re.sub(r":\w+", "", page.path))
    schema = document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())


def test_the_document_describes_every_record() -> None:
    schemas = openapi(PAGES)["components"]["schemas"]
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert schema["description"], f"{name} has no docstring"
