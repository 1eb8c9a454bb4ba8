"""`Sessions`: signs what a browser keeps, with a secret that all observers of a database share."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer

from continuum.observer.limits import SESSION_SECONDS
from continuum.observer.visitor import Role, Visitor


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor who has signed in, until the session ends; `id` binds forms to it."""

    id: str
    visitor: Visitor


class Sessions:
    """Makes and checks sessions, forms and messages."""

    def __init__(self, secret: bytes) -> None:
        # A browser does not tell ports apart: observers of other databases on this machine have other names.
        own = hashlib.sha256(secret).hexdigest()[:8]
        self.cookie_name, self.said_name = f"continuum_session_{own}", f"continuum_said_{own}"
        self._sessions = URLSafeTimedSerializer(secret, salt="session")
        self._forms = URLSafeTimedSerializer(secret, salt="form")
        self._said = URLSafeTimedSerializer(secret, salt="said")

    def cookie(self, visitor: Visitor) -> str:
        """Return the value of the cookie of a new session."""
        return self._text(self._sessions, [secrets.token_hex(16), visitor.name, int(visitor.role)])

    def session(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None without one, or if it is over or forged."""
        if not cookie:
            return None
        try:
            id, name, role = self._sessions.loads(cookie, max_age=SESSION_SECONDS)
            return Session(str(id), Visitor(str(name), Role(role)))
        except (BadSignature, ValueError, TypeError):
            return None

    def form_token(self, session_id: str) -> str:
        """Return what a form of this session carries."""
        return self._text(self._forms, session_id)

    def is_form_of(self, session_id: str, token: str | None) -> bool:
        """Return whether a form was made for this session."""
        try:
            return token is not None and self._forms.loads(token, max_age=SESSION_SECONDS) == session_id
        except BadSignature:
            return False

    def say(self, text: str, *, good: bool) -> str:
        """Return a message for the next page, as a cookie."""
        return self._text(self._said, [text, good])

    def said(self, cookie: str | None) -> tuple[str, bool] | None:
        """Return the message of a cookie and whether it is good news."""
        try:
            text, good = self._said.loads(cookie or "", max_age=60)
            return str(text), bool(good)
        except (BadSignature, ValueError, TypeError):
            return None

    def _text(self, serializer: URLSafeTimedSerializer, value: object) -> str:
        made = serializer.dumps(value)
        return made if isinstance(made, str) else made.decode()
