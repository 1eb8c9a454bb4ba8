"""Views of the list of runs: saved for everybody, and removed."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from continuum.definitions.name_rules import short_text
from continuum.errors import InvalidOption
from continuum.journal.view_port import SavedView
from continuum.observer.actions.web_action import Form, Made, WebAction
from continuum.observer.limits import MOST_VIEWS, RUNS_PER_PAGE, VIEW_NAME_BYTES
from continuum.observer.run_columns import columns_of, order_of, size_of
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.search import search_of

_KEPT = ("q", "columns", "order", "limit")


async def _save(visit: Visit, form: Form) -> Made:
    name = short_text(form.get("name", "").strip(), "the name of a view", most=VIEW_NAME_BYTES)
    shown = {each: form.get(each, "").strip() for each in _KEPT}
    search_of(shown["q"])
    columns_of(shown["columns"])
    order_of(shown["order"])
    size_of(shown["limit"], RUNS_PER_PAGE)
    address = urlencode({each: value for each, value in shown.items() if value})
    if not await visit.changes.save_view(SavedView(name, address, visit.visitor.name), MOST_VIEWS):
        raise InvalidOption(f"there are {MOST_VIEWS} views already; remove one that nobody needs")
    return Made(f"Saved for everybody as {name}.", f"/runs?{address}")


async def _remove(visit: Visit, form: Form) -> str:
    name = form.get("name", "")
    removed = await visit.changes.remove_view(name)
    return f"View {name} is removed." if removed else f"There is no view {name} any more."


VIEW_ACTIONS: Mapping[str, WebAction] = {
    "save_view": WebAction(Role.OPERATOR, _save),
    "remove_view": WebAction(Role.OPERATOR, _remove),
}
