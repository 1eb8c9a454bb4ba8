"""What a shell completes from the database: ids of runs and operations, names of workflows, queues and nodes.

A shell waits for each answer while somebody types. So there is none if the database does not answer soon, if
there is none or if it has no schema: silently, and no embedded server is started. Names that a shell would
read as something else are left out.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import click
from click.shell_completion import CompletionItem

from continuum.operations.commands import DEFAULT_SCHEMA

if TYPE_CHECKING:
    # The module of a command is loaded with its options, and most calls complete nothing.
    from continuum.journal.port import Journal

# Somebody waits for the answer to a key.
ANSWER_SECONDS = 2.0
# More words than these nobody reads.
MOST_WORDS = 50
_ALL_DIGITS = 32
_BEGINNING = re.compile("[0-9a-f-]*")

Words: TypeAlias = list[CompletionItem[str]]
# Each word with what it is, which some shells show beside it.
Described: TypeAlias = list[tuple[str, str]]
Completion: TypeAlias = Callable[[click.Context, click.Parameter, str], Words]


def run_ids(context: click.Context, _parameter: click.Parameter, beginning: str) -> Words:
    """Complete the id of a run: the latest that begin like this."""
    return _asked(context, lambda journal: _run_ids(journal, given(context, "namespace"), beginning))


def workflow_names(context: click.Context, _parameter: click.Parameter, beginning: str) -> Words:
    """Complete the name of a workflow that a node has loaded at any time."""
    return _asked(context, _workflows, beginning)


def queue_names(context: click.Context, _parameter: click.Parameter, beginning: str) -> Words:
    """Complete the name of a queue of which a node has a limit, or which is paused."""
    return _asked(context, _queues, beginning)


def node_names(context: click.Context, _parameter: click.Parameter, beginning: str) -> Words:
    """Complete the name of a node."""
    return _asked(context, _nodes, beginning)


def operation_ids(context: click.Context, _parameter: click.Parameter, beginning: str) -> Words:
    """Complete the id of a change of many runs, the latest first."""
    return _asked(context, _operations, beginning)


def first_word(completion: Completion) -> Completion:
    """Return a completion of the first of several words only."""

    def completed(context: click.Context, parameter: click.Parameter, beginning: str) -> Words:
        before = context.params.get(parameter.name or "")
        return [] if before else completion(context, parameter, beginning)

    return completed


def given(context: click.Context, name: str) -> str | None:
    """Return the text of an option that was parsed before, if it was given; click marks others."""
    value = context.params.get(name)
    return value if isinstance(value, str) else None


def _asked(
    context: click.Context, question: Callable[[Journal], Awaitable[Described]], beginning: str = ""
) -> Words:
    """Return the words that begin like this; none without an answer."""
    # What goes wrong must not be written between the words of the shell.
    logging.disable()
    try:
        found = asyncio.run(_answer(context, question))
    except Exception:  # noqa: BLE001 - whatever is wrong, a shell that completes nothing is the answer
        return []
    finally:
        logging.disable(logging.NOTSET)
    plain = [each for each in found if each[0].startswith(beginning) and each[0] == shlex.quote(each[0])]
    return [CompletionItem(word, help=about) for word, about in plain[:MOST_WORDS]]


async def _answer(context: click.Context, question: Callable[[Journal], Awaitable[Described]]) -> Described:
    from continuum.client.connecting import default_dsn
    from continuum.journal.postgres import PostgresJournal
    from continuum.local_postgres import EmbeddedPostgres

    dsn = given(context, "dsn") or default_dsn()
    if dsn is None:
        embedded = EmbeddedPostgres()
        if not embedded.has_data:
            return []
        # If it does not run nobody answers there.
        dsn = embedded.dsn
    schema = given(context, "schema") or DEFAULT_SCHEMA
    journal = PostgresJournal(dsn, schema=schema, listen=False, read_only=True)
    async with asyncio.timeout(ANSWER_SECONDS):
        await journal.open()
        try:
            return await question(journal)
        finally:
            await journal.close()


async def _run_ids(journal: Journal, namespace: str | None, beginning: str) -> Described:
    from continuum.journal.facts import Query

    digits = beginning.replace("-", "")
    if not _BEGINNING.fullmatch(beginning) or len(digits) > _ALL_DIGITS:
        return []
    bounds = [
        ("id", operator, str(UUID(digits.ljust(_ALL_DIGITS, filling))))
        for operator, filling in (("ge", "0"), ("le", "f"))
    ]
    rows = await journal.query(Query(namespace, bounds, ("id", True), MOST_WORDS, None, payloads=False))
    found = [(row.id, f"{row.workflow}, {row.state.name.lower()}") for row in rows]
    return [each for each in found if each[0].startswith(beginning)]


async def _workflows(journal: Journal) -> Described:
    names = {row.workflow for row in await journal.versions(counted=1)}
    names |= {name for node in await journal.nodes() for name in node.workflows}
    return [(name, "workflow") for name in sorted(names)]


async def _queues(journal: Journal) -> Described:
    names = {name for node in await journal.nodes() if node.code is not None for name, _ in node.code.queues}
    paused = (pause.scope for pause in await journal.pauses(MOST_WORDS))
    names |= {scope.name for scope in paused if scope is not None and scope.kind == "queue"}
    return [(name, "queue") for name in sorted(names)]


async def _nodes(journal: Journal) -> Described:
    return [(node.node, node.state) for node in sorted(await journal.nodes(), key=lambda node: node.node)]


async def _operations(journal: Journal) -> Described:
    return [(row.id, f"{row.action}, {row.state}") for row in await journal.operations(MOST_WORDS, None)]
