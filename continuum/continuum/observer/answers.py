"""`Answers`: what the observer answers to each request: pages, records, streams, changes, signing in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from continuum.errors import (
    ContinuumError,
    InvalidOption,
    InvalidQuery,
    NodeNotFound,
    OperationNotFound,
    RunNotFound,
    UnknownWorkflow,
)
from continuum.observer import live
from continuum.observer.actions import ACTIONS, Made
from continuum.observer.guarding.links import Links
from continuum.observer.guarding.origins import is_same_origin
from continuum.observer.guarding.sessions import Session
from continuum.observer.guarding.visitors import Doorkeeper, is_secure
from continuum.observer.limits import FORM_BYTES, PING_SECONDS, SESSION_SECONDS
from continuum.observer.openapi import openapi
from continuum.observer.options import LINK, TOKEN, ObserverOptions
from continuum.observer.page import Page
from continuum.observer.pages import PAGES
from continuum.observer.place import Place
from continuum.observer.rendering import Templates
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role, Visitor
from continuum.operations.json_text import to_json

_NOT_FOUND = (NodeNotFound, OperationNotFound, RunNotFound, UnknownWorkflow)
_WRONG = (InvalidOption, InvalidQuery)

_UNKNOWN = {"error": "sign in, or send a token: Authorization: Bearer TOKEN"}

Handler = Callable[[Request], Awaitable[Response]]


class Answers:
    """Answers requests of one database."""

    def __init__(
        self,
        place: Place,
        options: ObserverOptions,
        keeper: Doorkeeper,
        templates: Templates,
        links: Links,
        ending: asyncio.Event,
    ) -> None:
        self._place = place
        self._options = options
        self._keeper = keeper
        self._templates = templates
        self._links = links
        self._ending = ending

    def page(self, page: Page) -> Handler:
        """Return what answers with a page."""

        async def answering(request: Request) -> Response:
            session = await self._keeper.session(request)
            if session is None:
                return self._signed_out(request)
            visit = self._visit(request, session, _path(request))
            try:
                records = await page.read(visit)
            except ContinuumError as error:
                return self._failed(visit, error)
            said = self._keeper.sessions.said(request.cookies.get(self._keeper.sessions.said_name))
            html = self._templates.whole(page, visit, records, said=said, **self._forms(session))
            response = HTMLResponse(html)
            if said is not None:
                response.delete_cookie(self._keeper.sessions.said_name, path=self._root(request))
            return response

        return answering

    def record(self, page: Page) -> Handler:
        """Return what answers with the records of a page as JSON."""

        async def answering(request: Request) -> Response:
            session = await self._keeper.session(request)
            if session is None:
                return _json(_UNKNOWN, 401)
            try:
                return _json(await page.read(self._visit(request, session, page.path)))
            except ContinuumError as error:
                return _json({"error": str(error)}, status_of(error))

        return answering

    async def document(self, request: Request) -> Response:
        """Describe the API, to everybody who has signed in."""
        if await self._keeper.session(request) is None:
            return _json(_UNKNOWN, 401)
        return _json(openapi(PAGES))

    def stream(self, page: Page) -> Handler:
        """Return what answers with the changes of a page, for as long as it is open."""

        async def answering(request: Request) -> Response:
            session = await self._keeper.session(request)
            if session is None:
                # The browser asks again later; the page itself leads to signing in.
                return Response(status_code=401)
            path = _path(request).removeprefix("/live")
            asked = {name: value for name, value in request.query_params.items() if name != live.SEEN}
            visit = Visit(request, self._place, self._options, session.visitor, path, asked)
            seen = request.query_params.get(live.SEEN, "")
            forms = self._forms(session)
            changes = live.changes(page, visit, self._templates, forms, seen, self._ending)
            return EventSourceResponse(changes, ping=PING_SECONDS)

        return answering

    async def change(self, request: Request) -> Response:
        """Make a change that a form asks for, and lead back to the page with what came of it."""
        session = await self._keeper.session(request)
        if session is None:
            return self._signed_out(request)
        visit = self._visit(request, session, _path(request))
        if not is_same_origin(request.headers):
            return self._refused(visit, "This change was asked for by a page of another site.")
        form = await _form(request)
        if session.id and not self._keeper.sessions.is_form_of(session.id, form.get("form")):
            return self._refused(visit, "This form is of another session, or too old. Load its page again.")
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            return self._refused(visit, "There is no such change.", status=404)
        if not visit.may(action.role.name):
            return self._refused(visit, _not_allowed(self._options, action.role))
        if action.confirmed_by is not None and form.get("confirm") != action.confirmed_by(form):
            return self._refused(
                visit, "Nothing was changed: what you typed to confirm it is something else.", 400
            )
        made: str | Made
        try:
            made, good = await action.make(visit, form), True
        except ContinuumError as error:
            made, good = str(error), False
        said, to = (made.said, made.path) if isinstance(made, Made) else (made, None)
        # The form has its page's address as a browser sees it.
        address = _local(form.get("back"), visit.address("/")) if to is None else visit.address(to)
        response = RedirectResponse(address, status_code=303)
        message = self._keeper.sessions.say(said, good=good)
        self._set(response, request, self._keeper.sessions.said_name, message, 60)
        return response

    async def link(self, request: Request) -> Response:
        """Sign in with a one-time link."""
        visitor = self._links.take(request.query_params.get("key", ""))
        if visitor is None:
            return self._signed_out(request)
        # Not a redirect: a browser leaves strict cookies out of those that another page began.
        html = self._templates.plain("signed_in.html", None, root=self._root(request), title="Signed in")
        response = HTMLResponse(html)
        self._sign_in(response, request, visitor)
        return response

    async def sign_in(self, request: Request) -> Response:
        """Sign in with a token."""
        if request.method == "GET":
            return self._signed_out(request)
        form = await _form(request)
        visitor = self._keeper.with_token(form.get("token", ""))
        if self._options.auth != TOKEN or visitor is None or not is_same_origin(request.headers):
            return self._signed_out(request, wrong=True)
        response = RedirectResponse(f"{self._root(request)}", status_code=303)
        self._sign_in(response, request, visitor)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the session in this browser."""
        response = RedirectResponse(f"{self._root(request)}sign-in", status_code=303)
        if is_same_origin(request.headers):
            response.delete_cookie(self._keeper.sessions.cookie_name, path=self._root(request))
        return response

    async def nothing_here(self, request: Request, error: HTTPException) -> Response:
        """Answer a request for a page that does not exist."""
        session = await self._keeper.session(request)
        visit = None if session is None else self._visit(request, session, _path(request))
        return self._plain(visit, "There is no such page", "The address may be mistyped.", error.status_code)

    async def fault(self, request: Request, error: Exception) -> Response:
        """Answer a request that showed a fault of ours; the server logs it."""
        session = await self._keeper.session(request)
        visit = None if session is None else self._visit(request, session, _path(request))
        text = "The observer has a fault here; its log says which. Please report it with those lines."
        return self._plain(visit, "This page has a fault", text, 500)

    def _visit(self, request: Request, session: Session, path: str) -> Visit:
        asked = dict(request.query_params)
        return Visit(request, self._place, self._options, session.visitor, path, asked)

    def _forms(self, session: Session) -> dict[str, Any]:
        return {"form_token": self._keeper.sessions.form_token(session.id)}

    def _signed_out(self, request: Request, *, wrong: bool = False) -> Response:
        kind = self._options.auth if isinstance(self._options.auth, str) else "host"
        html = self._templates.plain(
            "sign_in.html", None, kind=kind, link=LINK, wrong=wrong, root=self._root(request), title="Sign in"
        )
        return HTMLResponse(html, status_code=401)

    def _failed(self, visit: Visit, error: ContinuumError) -> Response:
        status = status_of(error)
        titles = {404: "Not found", 400: "This cannot be asked"}
        return self._plain(visit, titles.get(status, "The database does not answer"), str(error), status)

    def _refused(self, visit: Visit, text: str, status: int = 403) -> Response:
        return self._plain(visit, "Nothing was changed", text, status)

    def _plain(self, visit: Visit | None, title: str, text: str, status: int) -> Response:
        html = self._templates.plain("message.html", visit, title=title, text=text)
        return HTMLResponse(html, status_code=status)

    def _sign_in(self, response: Response, request: Request, visitor: Visitor) -> None:
        sessions = self._keeper.sessions
        self._set(response, request, sessions.cookie_name, sessions.cookie(visitor), SESSION_SECONDS)

    def _set(self, response: Response, request: Request, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._root(request),
            secure=is_secure(request, self._options.trusted_proxies),
            httponly=True,
            samesite="strict",
        )

    def _root(self, request: Request) -> str:
        return f"{request.scope.get('root_path', '')}/"


def _path(request: Request) -> str:
    """Return the path of a request without that under which the observer is mounted."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", "")) or "/"


def status_of(error: ContinuumError) -> int:
    """Return the status of the answer that an error makes."""
    if isinstance(error, _NOT_FOUND):
        return 404
    return 400 if isinstance(error, _WRONG) else 503


def _not_allowed(options: ObserverOptions, role: Role) -> str:
    if options.read_only:
        return "This observer is read-only."
    return f"This needs the role {role.name.lower()}."


def _local(back: str | None, root: str) -> str:
    """Return where a form leads back to: a page of the observer, which is under `root`, whatever it says."""
    parts = urlsplit(back or "")
    if parts.scheme or parts.netloc or not parts.path.startswith(root) or parts.path.startswith("//"):
        return root
    return parts.path + (f"?{parts.query}" if parts.query else "")


async def _form(request: Request) -> Mapping[str, str]:
    if int(request.headers.get("content-length") or FORM_BYTES + 1) > FORM_BYTES:
        raise HTTPException(413)
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415)
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def _json(value: Any, status: int = 200) -> Response:
    return Response(to_json(value), status, media_type="application/json")
