"""`Page`: a page of the observer, which is also an answer of the API and a live stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `read` returns its records, a dataclass, which `template` shows.

    The API returns the same records as JSON under the same `path`; `records` is their type. Blocks of the
    template whose names begin with ``live_`` are kept up to date while the page is open: each is one element
    whose id is the name of the block. `about` says in a sentence what it shows.
    """

    path: str
    template: str
    read: Callable[[Visit], Awaitable[Any]]
    records: type
    about: str
    live: bool = True

    @property
    def name(self) -> str:
        """The name of the page, that of its template."""
        return self.template.removesuffix(".html")
