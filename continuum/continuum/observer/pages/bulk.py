"""A change of all runs that a search finds, before it is made: what it would be about, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from continuum.observer.bulk_forms import FIELDS, OPTIONS, change_of, missing
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.bulk_action import BULK_ACTIONS
from continuum.operations.bulk_preview import preview
from continuum.operations.bulk_records import OperationPreview


@dataclass(frozen=True, slots=True)
class Bulk:
    """A change that is being composed: its search, its action, what that is given, and its preview.

    `fields` are what the action asks for, `missing` those of them that it needs and that are empty. `verb`
    says what would become of a run; an `irreversible` action cannot be undone. `skipped` runs are known to be
    left as they are, so `changed` remain, None if neither is known of all.
    """

    search: str
    action: str | None
    actions: Sequence[str]
    fields: Sequence[str]
    given: Mapping[str, str]
    missing: Sequence[str]
    verb: str = ""
    irreversible: bool = False
    preview: Part[OperationPreview] | None = None
    skipped: int = 0
    changed: int | None = None


async def read(visit: Visit) -> Bulk:
    """Preview a change; nothing is changed."""
    search, name = search_asked(visit), visit.asked.get("action", "")
    action = BULK_ACTIONS.get(name)
    given = {option: visit.asked.get(option, "") for option in OPTIONS}
    if action is None or not search:
        return Bulk(search, None, tuple(BULK_ACTIONS), (), given, ())
    fields, needed = FIELDS.get(name, ()), missing(name, given)
    bulk = (search, name, tuple(BULK_ACTIONS), fields, given, needed, action.verb, action.irreversible)
    if needed:
        return Bulk(*bulk)
    shown = await part(_previewed(visit, name, search, given))
    skipped, changed = (0, None) if shown.value is None else _known(shown.value)
    return Bulk(*bulk, shown, skipped, changed)


def search_asked(visit: Visit) -> str:
    """Return the search of a visit: the runs that were ticked, else what was typed."""
    ticked = dict.fromkeys(each.strip() for each in visit.request.query_params.getlist("run"))
    return f"id:{','.join(ticked)}" if ticked else visit.asked.get("q", "").strip()


async def _previewed(visit: Visit, action: str, search: str, given: Mapping[str, str]) -> OperationPreview:
    return await preview(visit.journal, change_of(action, search, given))


def _known(shown: OperationPreview) -> tuple[int, int | None]:
    """Return how many runs would be skipped, and how many changed, as far as that is known of all."""
    if shown.skipped or shown.count > len(shown.examples):
        skipped = sum(each.count for each in shown.skipped)
    else:
        skipped = sum(run.refused is not None for run in shown.examples)
    return skipped, shown.count - skipped if shown.exact else None


BULK = Page(
    "/runs/bulk",
    "bulk.html",
    read,
    Bulk,
    "what a change of many runs would be about, before it is made",
    False,
)
