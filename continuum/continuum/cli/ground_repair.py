"""`continuum repair` of what `continuum doctor` finds in the schema: indexes and functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.cli.changes import recorder
from continuum.cli.database import opened
from continuum.cli.repair_dialogue import Asked, Preview, agree, say
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.journal.index_mends import IndexRepair, IndexStep
from continuum.journal.postgres.function_repairs import lost_functions, restore_functions
from continuum.journal.postgres.index_repairs import index_facts, index_statement, repair_index
from continuum.operations.function_repair import FUNCTION_CODE, plan_function
from continuum.operations.index_repair import expected_index, plan_index
from continuum.quoting import listed
from continuum_migrations import expected_objects

T = TypeVar("T")


def repair_index_of(asked: Asked) -> None:
    """Build an index, rebuild it, or drop what a rebuild has left behind."""
    schema, name = asked.target.schema, asked.subject
    expected = expected_index(asked.code, name, expected_objects().indexes)
    facts = _ask(asked, lambda dsn: index_facts(dsn, schema, name, expected))
    plan = plan_index(asked.code, name, expected, facts)

    def statement(step: IndexStep) -> str:
        return f"{index_statement(step, schema, name, expected)};"

    steps = [statement(step) for step in plan.steps]
    preview = Preview(asked.code, name, [plan.finding] if steps else [], steps)
    agree(asked, preview)
    repair = IndexRepair(asked.code, name, expected, plan.decide)
    kinds = [step.value for step in plan.steps]
    begun, ended = _facts_about(asked, steps=kinds), _facts_about(asked, steps=kinds)
    say(
        asked,
        preview,
        _ask(asked, lambda dsn: repair_index(dsn, schema, repair, begun=begun, ended=ended)),
    )


def repair_function(asked: Asked) -> None:
    """Create the functions of this release again."""
    schema, name = asked.target.schema, asked.subject
    missing = _ask(asked, lambda dsn: lost_functions(dsn, schema))
    plan = plan_function(name, expected_objects().functions, missing)
    found = [f"function {each} of {file} is missing" for each, file in missing.items()]
    steps = ["create all functions of this release again, in one transaction"]
    preview = Preview(FUNCTION_CODE, name, *((found, steps) if plan.is_damaged else ((), ())))
    agree(asked, preview)
    audit = _facts_about(asked, functions=listed(missing) if plan.is_damaged else "")
    say(asked, preview, _ask(asked, lambda dsn: restore_functions(dsn, schema, plan.decide, audit=audit)))


def _ask(asked: Asked, question: Callable[[str], Awaitable[T]]) -> T:
    async def asking() -> T:
        async with opened(asked.target) as dsn:
            return await question(dsn)

    return asyncio.run(asking())


def _facts_about(asked: Asked, **arguments: object) -> AuditFacts | None:
    record = recorder(asked.actor, time.time_ns() // 1000)
    return record(Action.REPAIR, asked.subject, code=asked.code, **arguments)
