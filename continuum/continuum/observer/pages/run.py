"""One run: why it is where it is and what helps, then what it was given and what it made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continuum.client import Run as RunRecord
from continuum.client.runs import run_of
from continuum.client.wait_reasons import Present
from continuum.contracts.workflow_contract import WorkflowContract
from continuum.engine.ids import RunId
from continuum.journal.facts import Query
from continuum.journal.untyped_values import readable
from continuum.observer.fix_forms import ShownExplanation, shown
from continuum.observer.input_fields import InputField, field_of, fields_of, json_of
from continuum.observer.limits import CHILDREN_PER_LEVEL, PUBLISHED_NAMES, RELATED_RUNS
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.payloads import ErrorShown, Payload
from continuum.observer.visit import Visit
from continuum.operations.audit import AuditEntry, audit_page

_AUDITED = 10


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run with what the visitor sees of its payloads."""

    id: str
    workflow: str
    version: str | None
    namespace: str
    state: str
    paused: str | None
    input: tuple[Payload, ...]
    keywords: Mapping[str, Payload]
    result: Payload | None
    error: ErrorShown | None
    attributes: Mapping[str, Any]
    idempotency_key: str | None
    parent_run_id: str | None
    continued_from: str | None
    continued_to: str | None
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Related:
    """Another run of the family."""

    id: str
    workflow: str
    state: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Children:
    """Some children, the first ones first, and where the next begin."""

    runs: tuple[Related, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Family:
    """The runs of the chain, the first one first, and the forks of its events, as pairs of run and events."""

    chain: tuple[Related, ...]
    forks: tuple[Fork, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """That a run began with so many events of another."""

    run: str
    origin: str
    events: int


@dataclass(frozen=True, slots=True)
class Forms:
    """The fields of signals and of a start like this one; empty for those who may not change anything."""

    signals: tuple[InputField, ...]
    start: tuple[InputField, ...]
    version: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and why it is where it is."""

    run: RunShown
    explanation: Part[ShownExplanation]
    published: Part[Mapping[str, Payload]]
    children: Part[Children]
    family: Part[Family]
    audit: Part[tuple[AuditEntry, ...]]
    forms: Forms


async def read(visit: Visit) -> Run:
    """Read a run, why it is where it is, and what belongs to it."""
    run = await visit.reads.get_run(visit.parameter("run"))
    contract, trouble = None, None
    if visit.may("operator"):
        found = await part(_contract(visit, run))
        contract, trouble = found.value, found.trouble
    explanation, published, children, family, audit = await asyncio.gather(
        part(_explanation(visit, run, contract)),
        part(_published(visit, run)),
        part(_children(visit, run)),
        part(_family(visit, run)),
        part(_audit(visit, run)),
    )
    forms = _forms(visit, run, contract) if trouble is None and visit.may("operator") else Forms((), (), None)
    return Run(_shown(visit, run), explanation, published, children, family, audit, forms)


def _shown(visit: Visit, run: RunRecord) -> RunShown:
    payloads = visit.payloads
    args = run.input if isinstance(run.input, list) else [run.input]
    keywords = run.keywords if isinstance(run.keywords, Mapping) else {}
    return RunShown(
        run.id,
        run.workflow,
        run.version,
        run.namespace,
        run.state,
        None if run.pause is None else str(run.pause.kind),
        tuple(payloads.shown(value, f"input.{place}") for place, value in enumerate(args)),
        {name: payloads.shown(value, f"input.{name}") for name, value in keywords.items()},
        payloads.shown(run.result, "result") if run.state == "completed" else None,
        payloads.error(run.error),
        run.attributes,
        run.idempotency_key,
        run.parent_run_id,
        run.continued_from,
        run.continued_to,
        run.started_at,
        run.updated_at,
        run.completed_at,
    )


async def _explanation(visit: Visit, run: RunRecord, contract: WorkflowContract | None) -> ShownExplanation:
    found = visit.payloads.explanation(await visit.reads.explain(run.id))
    return shown(found, lambda name: signal_field(name, contract))


def signal_field(name: str, contract: WorkflowContract | None) -> InputField:
    """Return the field of a signal's value."""
    schema = {} if contract is None or contract.signals is None else contract.signals.get(name, {})
    return field_of("value", schema, label=f"Value of {name}")


async def _published(visit: Visit, run: RunRecord) -> Mapping[str, Payload]:
    id = RunId(run.id)
    names = await visit.journal.published_names(id, PUBLISHED_NAMES)
    values = await visit.journal.read_published(id, names) if names else {}
    return {
        name: visit.payloads.shown(readable(values[name].value), f"published.{name}")
        for name in names
        if name in values
    }


async def _children(visit: Visit, run: RunRecord) -> Children:
    found = await visit.reads.query(
        [("parent_run_id", "eq", run.id)],
        order_by=("started_at", "asc"),
        limit=CHILDREN_PER_LEVEL,
        cursor=visit.asked.get("children"),
        namespace=None,
        payloads=False,
    )
    return Children(tuple(_related(each) for each in found.entries), found.next_cursor)


def _related(run: RunRecord) -> Related:
    return Related(run.id, run.workflow, run.state, run.started_at)


async def _family(visit: Visit, run: RunRecord) -> Family:
    journal, id = visit.journal, RunId(run.id)
    row = await journal.get_run(id)
    root = id if row is None else row.root or id
    rows = [] if row is None else [row]
    if row is not None and (row.root or row.continued_to):
        chain = Query(None, [("root", "eq", root)], ("started_at", False), RELATED_RUNS, None, payloads=False)
        rows = await journal.query(chain)
    forks = await journal.forks_of([root])
    present = Present(journal.now())
    return Family(
        tuple(_related(run_of(each, present, payloads=False)) for each in rows),
        tuple(Fork(fork.fork, fork.origin, fork.events) for fork in forks[:RELATED_RUNS]),
    )


async def _audit(visit: Visit, run: RunRecord) -> tuple[AuditEntry, ...]:
    return tuple((await audit_page(visit.journal, subject=run.id, limit=_AUDITED)).entries)


async def _contract(visit: Visit, run: RunRecord) -> WorkflowContract | None:
    rows = await visit.journal.contracts(run.workflow)
    row = next((each for each in rows if each.version == run.version), rows[0] if rows else None)
    return None if row is None else WorkflowContract.from_document(run.workflow, row.contract)


def _forms(visit: Visit, run: RunRecord, contract: WorkflowContract | None) -> Forms:
    signals = () if contract is None or contract.signals is None else tuple(contract.signals)
    args = run.input if isinstance(run.input, list) else []
    keywords = run.keywords if isinstance(run.keywords, Mapping) else {}
    mask = visit.payloads.masked
    args, keywords = mask(args, "input"), mask(dict(keywords), "input")
    if contract is not None and len(args) <= len(contract.parameters):
        given = {place.name: value for place, value in zip(contract.parameters, args, strict=False)}
        if not any(place.kind == "rest" for place in contract.parameters):
            fields = fields_of(contract, given | keywords)
            return Forms(tuple(signal_field(name, contract) for name in signals), fields, contract.version)
    plain = (
        InputField("args", "Arguments, a JSON list", value=json_of(args), rows=6),
        InputField("keywords", "Keywords, a JSON map", value=json_of(keywords), rows=2),
    )
    return Forms(tuple(signal_field(name, contract) for name in signals), plain, None)


RUN = Page("/runs/{run}", "run.html", read, Run, "one run: why it is where it is, and what helps")
