"""`Visit`: one request of one visitor, as pages see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from continuum.client import Client
from continuum.client.journals import journal_of
from continuum.journal.port import Journal
from continuum.journal.untyped_values import at
from continuum.observer.options import ObserverOptions
from continuum.observer.payloads import Payloads
from continuum.observer.place import Place
from continuum.observer.visitor import Role, Visitor
from continuum.operations.actor import Actor, Recorder, recorder_at

# Through what changes are made, in the record of changes.
VIA = "web"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request: who makes it, of which database, with what in its address."""

    request: Request
    place: Place
    options: ObserverOptions
    visitor: Visitor
    # What the address says, which for a live stream is that of its page.
    path: str
    asked: Mapping[str, str]

    @property
    def reads(self) -> Client:
        """The client that only reads."""
        return self.place.reads

    @property
    def journal(self) -> Journal:
        """The journal that only reads."""
        return self.place.journal

    @property
    def acting(self) -> Client:
        """The client that changes; what it changes is on record as the visitor's."""
        return self.place.client.as_actor(self.visitor.name, via=VIA)

    @property
    def changes(self) -> Journal:
        """The journal that changes, for what no client does; with `recorder`."""
        return journal_of(self.place.client)

    @property
    def recorder(self) -> Recorder:
        """What records changes of the journal as the visitor's."""
        return self.recorder_of(self.actor())

    def actor(self, reason: str | None = None) -> Actor:
        """Return the visitor as it is recorded of changes, with a reason."""
        return Actor(self.visitor.name, VIA, reason or None)

    def recorder_of(self, actor: Actor) -> Recorder:
        """Return what records changes of the journal as those of an actor."""
        return recorder_at(actor, self.changes.now(), os.urandom)

    def may(self, role: str) -> bool:
        """Return whether the visitor may change what this role may change."""
        return not self.options.read_only and self.visitor.may(Role[role.upper()])

    @property
    def sees_payloads(self) -> bool:
        """Whether the visitor may see what runs work with."""
        return self.visitor.may(Role.OPERATOR)

    @property
    def payloads(self) -> Payloads:
        """What of the values that runs work with the visitor sees."""
        return Payloads(self.sees_payloads, self.options.redact)

    @property
    def is_live(self) -> bool:
        """Whether this is for the stream of an open page, which has all that does not change."""
        return bool(self.request.url.path.startswith(f"{self.request.scope.get('root_path', '')}/live/"))

    def parameter(self, name: str) -> Any:
        """Return a part of the path, such as the id of a run."""
        return self.request.path_params[name]

    def now(self) -> datetime:
        """Return the time of the database."""
        return at(self.journal.now())

    def address(self, path: str, **asked: object) -> str:
        """Return the address of a page of the observer, wherever it is mounted."""
        query = urlencode({name: value for name, value in asked.items() if value not in (None, "")})
        return f"{self.request.scope.get('root_path', '')}{path}{'?' if query else ''}{query}"

    def same(self, **changed: object) -> str:
        """Return the address of this page with other parameters; None leaves one out."""
        return self.address(self.path, **{**self.asked, **changed})
