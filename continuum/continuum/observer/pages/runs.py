"""The list of runs that a search finds, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from continuum.client import Run
from continuum.errors import InvalidOption, InvalidQuery
from continuum.journal.facts import Query
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.view_port import SavedView
from continuum.observer.limits import LOOKED_AT, RUNS_PER_PAGE
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.payloads import HIDDEN
from continuum.observer.run_columns import COLUMNS, ORDERS, SIZES, columns_of, order_of, size_of
from continuum.observer.searches import narrowed, waiting_for
from continuum.observer.visit import Visit
from continuum.operations.bulk import count_text
from continuum.operations.findings import amount
from continuum.operations.search import search_of, searched

# So many names of each kind are suggested.
MOST_SUGGESTED = 8
_STATES = ("state:failed", "state:blocked", "state:running", "state:suspended", "state:ended", "started:<1h")


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run of the list. `about` says what it waits for, or why it failed or is blocked."""

    id: str
    workflow: str
    version: str | None
    namespace: str
    state: str
    paused: bool
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    about: str
    key: str | None
    parent: str | None
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunsFound:
    """A page of runs; `looked_at` is how many were looked at if no index leads to those asked for."""

    entries: Sequence[ListedRun]
    next_cursor: str | None
    looked_at: int | None


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs as the address asks for them, how many there are, and terms that narrow the search.

    `wrong` says what is wrong with the address; nothing is read then.
    """

    search: str
    columns: Sequence[str]
    order: str
    size: int
    wrong: str | None = None
    found: Part[RunsFound] | None = None
    counted: Part[str | None] | None = None
    # Each term with the search that it would make of this one.
    suggested: Mapping[str, str] = field(default_factory=dict)
    # What people have saved for everybody, unless this keeps a page up to date.
    views: Part[Sequence[SavedView]] | None = None
    known_columns: Sequence[str] = COLUMNS
    known_orders: Sequence[str] = tuple(ORDERS)
    known_sizes: Sequence[int] = SIZES


async def read(visit: Visit) -> Runs:
    """Read a page of runs."""
    asked, search = visit.asked, visit.asked.get("q", "").strip()
    try:
        columns, order = columns_of(asked.get("columns", "")), order_of(asked.get("order", ""))
        size = size_of(asked.get("limit", ""), RUNS_PER_PAGE)
        search_of(search)
    except (InvalidOption, InvalidQuery) as error:
        return Runs(search, (), "-started", RUNS_PER_PAGE, str(error))
    found, suggested, views = await asyncio.gather(
        part(_found(visit, search, order, size)), part(_suggested(visit)), part(_views(visit))
    )
    counted = None if found.value is None else await part(_counted(visit, search, found.value))
    terms = {term: narrowed(search, term) for term in suggested.value or _STATES if term not in search}
    return Runs(search, columns, asked.get("order", "-started"), size, None, found, counted, terms, views)


async def _found(visit: Visit, search: str, order: tuple[str, str], size: int) -> RunsFound:
    page = await visit.reads.query(
        order_by=order,
        limit=size,
        cursor=visit.asked.get("cursor"),
        namespace=None,
        payloads=False,
        find=search or None,
        look_at=LOOKED_AT,
    )
    return RunsFound([_listed(visit, run) for run in page.entries], page.next_cursor, page.looked_at)


def _listed(visit: Visit, run: Run) -> ListedRun:
    about = run.reason or ""
    error = visit.payloads.error(run.error)
    if error is not None:
        about = f"{error.type}: {HIDDEN if error.message.text is None else error.message.text}"
    elif run.state == "blocked" and not visit.sees_payloads:
        about = HIDDEN if run.fault is None else run.fault.kind
    return ListedRun(
        run.id,
        run.workflow,
        run.version,
        run.namespace,
        run.state,
        run.pause is not None,
        run.started_at,
        run.updated_at,
        run.completed_at,
        about,
        run.idempotency_key,
        run.parent_run_id,
        {name: _shown(visit, name, value) for name, value in run.attributes.items()},
    )


def _shown(visit: Visit, name: str, value: Any) -> str:
    text = visit.payloads.shown(value, f"attributes.{name}").text
    return HIDDEN if text is None else text


async def _counted(visit: Visit, search: str, found: RunsFound) -> str | None:
    """Return how many runs match, in words; None if only a look at very many would tell."""
    if found.next_cursor is None and "cursor" not in visit.asked:
        return amount(len(found.entries), "run")
    if found.looked_at is not None:
        return None
    conditions = search_of(search).conditions(visit.journal.now())
    query = Query(None, conditions, ("id", False), 1, None)
    return count_text(await visit.journal.count(query, MOST_COUNTED))


async def _views(visit: Visit) -> Sequence[SavedView]:
    return () if visit.is_live else await visit.journal.views()


async def _suggested(visit: Visit) -> Sequence[str]:
    """Return terms: states, what open runs wait for, and the workflows there are."""
    if visit.is_live:
        # They are not kept up to date.
        return _STATES
    work, versions = await asyncio.gather(visit.journal.open_work(), visit.journal.versions(counted=1))
    waits = [waiting_for(each.kind, each.name) for each in work.waits[:MOST_SUGGESTED]]
    workflows = sorted({f"workflow:{searched(each.workflow)}" for each in versions})[:MOST_SUGGESTED]
    return (*_STATES, *waits, *workflows)


RUNS = Page("/runs", "runs.html", read, Runs, "the runs that a search finds, the latest first")
