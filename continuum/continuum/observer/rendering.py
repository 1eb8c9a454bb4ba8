"""`Templates`: renders the records of a page as HTML, whole or the parts that are kept up to date.

Everything that comes from a record is escaped: Jinja's autoescape is on, and no template marks a value safe.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from jinja2.runtime import Context
from markupsafe import Markup

from continuum.observer import charts, searches, texts
from continuum.observer.navigation import NAVIGATION
from continuum.observer.page import Page
from continuum.observer.visit import Visit

LIVE = "live_"


class Templates:
    """The templates of the observer, compiled once."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("continuum.observer"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update({**texts.FILTERS, **charts.FILTERS})
        style = (files("continuum.observer") / "static" / "observer.css").read_text()
        # In the page itself, so that nothing is asked for before it is painted; the policy names its digest.
        self.style_digest = "sha256-" + b64encode(hashlib.sha256(style.encode()).digest()).decode()
        # The style is a file of our own; blocks see no imports of the template that they are in.
        parts = self._environment.get_template("parts.html").module
        self._environment.globals.update(
            style=Markup(style), navigation=NAVIGATION, parts=parts, searches=searches
        )
        for name in ("work", "tree", "run_parts"):
            self._environment.globals[name] = self._environment.get_template(f"{name}.html").module

    def whole(self, page: Page, visit: Visit, records: Any, **more: Any) -> str:
        """Return a page."""
        template, context = self._begun(page, visit, records, more)
        regions = _regions(template, context) if page.live else {}
        for name, text in regions.items():
            # The page takes what is rendered already.
            context.blocks[name] = [_already(text)]
        context.vars["seen"] = ".".join(digest_of(text) for text in regions.values())
        return "".join(template.root_render_func(context))

    def regions(self, page: Page, visit: Visit, records: Any, **more: Any) -> dict[str, str]:
        """Return the parts of a page that are kept up to date, by their ids, in the order of their names."""
        return _regions(*self._begun(page, visit, records, more))

    def notice(self, text: str, good: str) -> str:
        """Return what says above a page why it is not kept up to date, and as of when it is."""
        return self._environment.get_template("notice.html").render(text=text, good=good)

    def plain(self, template: str, visit: Visit | None, **values: Any) -> str:
        """Return a page that shows no records, such as an error."""
        return self._environment.get_template(template).render(visit=visit, live="", seen="", **values)

    def _begun(
        self, page: Page, visit: Visit, records: Any, more: Mapping[str, Any]
    ) -> tuple[Template, Context]:
        live = visit.address(f"/live{visit.path}", **visit.asked) if page.live else ""
        template = self._environment.get_template(page.template)
        known = {"page": records, "visit": visit, "live": live, "now": visit.now(), **more}
        return template, template.new_context(known)


def _already(text: str) -> Callable[[Context], Iterator[str]]:
    """Return a block of this text."""
    return lambda _context: iter((text,))


def _regions(template: Template, context: Context) -> dict[str, str]:
    names = sorted(name for name in template.blocks if name.startswith(LIVE))
    return {name: "".join(template.blocks[name](context)) for name in names}


def digest_of(text: str) -> str:
    """Return a short digest of a part of a page, to see whether it has changed."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
