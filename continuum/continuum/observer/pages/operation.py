"""One change of many runs: how far it is, and why runs were left as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from continuum.observer.page import Page
from continuum.observer.payloads import HIDDEN
from continuum.observer.visit import Visit
from continuum.operations.bulk_execution import found, operation_id
from continuum.operations.bulk_records import Operation as OperationRecord
from continuum.operations.bulk_records import operation_of

# As `count_text` writes a count that is exact.
_EXACT = re.compile(r"([\d,]+) runs?")


@dataclass(frozen=True, slots=True)
class Progress:
    """An operation, and how many of its runs are behind it.

    `of` is how many there were when it was begun, None if they were too many to be counted. An operation that
    is `interrupted` is executed by no process.
    """

    operation: OperationRecord
    seen: int
    of: int | None
    interrupted: bool


async def read(visit: Visit) -> Progress:
    """Read an operation."""
    known = operation_id(visit.parameter("operation"))
    return progress_of(visit, operation_of(await found(visit.journal, known)))


def progress_of(visit: Visit, operation: OperationRecord) -> Progress:
    """Return how far an operation is, as far as a visitor may see what it works with."""
    exact = _EXACT.fullmatch(operation.expected)
    seen = operation.done + operation.skipped + operation.failed
    of = None if exact is None else int(exact[1].replace(",", ""))
    arguments = dict(operation.arguments)
    if "attributes" in arguments:
        shown = visit.payloads.shown(arguments["attributes"], "attributes")
        arguments["attributes"] = HIDDEN if shown.text is None else shown.text
    shown_operation = replace(operation, arguments=arguments)
    return Progress(shown_operation, seen, None if of is None else max(of, seen), operation.interrupted)


OPERATION = Page(
    "/operations/{operation}",
    "operation.html",
    read,
    Progress,
    "one change of many runs: how far it is, and what it left as it was",
)
