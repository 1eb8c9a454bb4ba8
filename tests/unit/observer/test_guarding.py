"""Access to the observer: sessions, tokens, proxies, forged requests and the headers of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from continuum.client import Client
from continuum.errors import InvalidOption, JournalUnavailable
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.app import Observer
from continuum.observer.guarding.origins import is_loopback
from continuum.observer.guarding.sessions import Sessions
from continuum.observer.options import ObserverOptions
from continuum.observer.serve import check_address
from continuum.observer.visitor import Role, Visitor
from tests.unit.observer.served import ADA, observed

TOKENS = {"secret-of-vic": Visitor("vic", Role.VIEWER), "secret-of-ada": ADA}


async def test_nobody_sees_a_page_without_signing_in() -> None:
    async with observed(visitor=None) as caller:
        for path in ("/", "/runs", "/api/v1", "/api/v1/runs", "/live/runs", "/runs/1"):
            assert (await caller.get(path)).status_code == 401
        assert (await caller.post("/actions/cancel")).status_code == 401


async def test_a_link_signs_in_once() -> None:
    async with observed(visitor=None) as caller:
        observer = caller._transport.app  # type: ignore[attr-defined]
        link = observer.link(ADA)
        assert (await caller.get(link)).status_code == 200
        assert (await caller.get("/")).status_code == 200
        caller.cookies.clear()
        assert (await caller.get(link)).status_code == 401


async def test_a_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    async with observed(visitor=None) as caller:
        observer = caller._transport.app  # type: ignore[attr-defined]
        cookie = (await caller.get(observer.link(ADA))).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie, "on loopback there is no TLS"


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"host": "evil.example:8400"}, {"host": ""}])
async def test_a_foreign_name_is_refused(headers: dict[str, str]) -> None:
    async with observed() as caller:
        assert (await caller.get("/", headers=headers)).status_code == 421


async def test_a_name_that_was_allowed_is_answered() -> None:
    async with observed(hosts=("ops.example",)) as caller:
        assert (await caller.get("/", headers={"host": "ops.example:8400"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    ],
)
async def test_a_forged_form_changes_nothing(headers: dict[str, str]) -> None:
    """Also without such headers: a form that no page of this session made has no token."""
    async with observed() as caller:
        answer = await caller.post("/actions/cancel", data={"run": "1"}, headers=headers)
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text


async def test_nothing_inline_and_nothing_from_elsewhere_is_allowed() -> None:
    async with observed() as caller:
        answer = await caller.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_token_is_enough_for_a_program() -> None:
    async with observed(visitor=None, auth="token", tokens=TOKENS) as caller:
        for token, status in (("secret-of-vic", 200), ("another", 401), ("", 401)):
            answer = await caller.get("/api/v1/runs", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status


async def test_a_token_signs_a_person_in() -> None:
    async with observed(visitor=None, auth="token", tokens=TOKENS) as caller:
        wrong = await caller.post("/sign-in", data={"token": "another"})
        assert wrong.status_code == 401
        assert (await caller.post("/sign-in", data={"token": "secret-of-vic"})).status_code == 303
        page = await caller.get("/")
        assert page.status_code == 200
        assert "vic" in page.text


@pytest.mark.parametrize(("peer", "status"), [("10.1.2.3", 200), ("192.168.1.1", 401)])
async def test_headers_count_from_a_trusted_proxy_alone(peer: str, status: int) -> None:
    async with observed(visitor=None, peer=peer, auth="proxy", trusted_proxies=("10.0.0.0/8",)) as caller:
        headers = {"x-forwarded-user": "grace", "x-forwarded-role": "operator"}
        assert (await caller.get("/", headers=headers)).status_code == status


@pytest.mark.parametrize(("peer", "secure"), [("10.1.2.3", True), ("192.168.1.1", False)])
async def test_a_cookie_is_for_tls_alone_where_a_trusted_proxy_speaks_tls(peer: str, secure: bool) -> None:
    options: dict[str, Any] = {"auth": "token", "tokens": TOKENS, "trusted_proxies": ("10.0.0.0/8",)}
    async with observed(visitor=None, peer=peer, **options) as caller:
        headers = {"x-forwarded-proto": "https"}
        answer = await caller.post("/sign-in", data={"token": "secret-of-vic"}, headers=headers)
        assert ("Secure" in answer.headers["set-cookie"]) is secure


async def test_a_role_that_is_none_opens_nothing() -> None:
    async with observed(visitor=None, auth="proxy", trusted_proxies=("127.0.0.1",)) as caller:
        headers = {"x-forwarded-user": "grace", "x-forwarded-role": "root"}
        assert (await caller.get("/", headers=headers)).status_code == 401


async def test_a_host_application_says_who_it_is() -> None:
    async def named(request: object) -> Visitor | None:
        return Visitor("linus", Role.VIEWER)

    async with observed(visitor=None, auth=named) as caller:
        assert "linus" in (await caller.get("/")).text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ops.example"])
def test_a_wide_address_needs_to_know_its_visitors(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InvalidOption, match="--auth"):
        check_address(host, ObserverOptions())
    check_address(host, ObserverOptions(auth="token", tokens=TOKENS))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_needs_nothing(host: str) -> None:
    check_address(host, ObserverOptions())


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "none"},
        {"auth": "token"},
        {"auth": "proxy"},
        {"auth": "proxy", "trusted_proxies": ("everybody",)},
    ],
)
def test_options_that_would_let_anybody_in_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        ObserverOptions(**options)  # type: ignore[arg-type]


def test_observers_of_two_databases_do_not_sign_each_other_out() -> None:
    """A browser has one set of cookies for all ports of a machine."""
    mine, theirs = Sessions(b"mine"), Sessions(b"theirs")
    assert mine.cookie_name != theirs.cookie_name
    assert mine.said_name != theirs.said_name


def test_signatures_of_another_secret_do_not_count() -> None:
    mine, theirs = Sessions(b"mine"), Sessions(b"theirs")
    assert mine.session(theirs.cookie(ADA)) is None
    assert not mine.is_form_of("id", theirs.form_token("id"))
    assert mine.session(mine.form_token("id")) is None, "a form is no session"


async def test_a_form_leads_back_to_the_observer_alone() -> None:
    journal = MemoryJournal()
    async with observed(Client(journal)) as caller:
        sessions = Sessions(await journal.shared_secret("observer", b"none was stored"))
        session = sessions.session(caller.cookies[sessions.cookie_name])
        assert session is not None
        form = sessions.form_token(session.id)
        for back in ("//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"):
            data = {"form": form, "run": "no run", "back": back}
            answer = await caller.post("/actions/cancel", data=data)
            assert answer.status_code == 303
            assert answer.headers["location"] in ("/", "/%5Cevil.example")


async def test_an_observer_that_finds_no_database_says_so_and_tries_again() -> None:
    tried: list[Client] = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[Client]:
        async with Client(MemoryJournal()) as client:
            tried.append(client)
            if len(tried) == 1:
                raise JournalUnavailable("Postgres cannot be reached")
            yield client

    observer = Observer(opening, ObserverOptions())
    transport = httpx.ASGITransport(app=observer)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as caller:
        answer = await caller.get("/")
        assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
        assert (await caller.get("/")).status_code == 401
    await observer.close()
