"""The numbers that the schema stores are those of the journal's enums, and no SQL spells one out."""

from __future__ import annotations

import operator
import re
from enum import IntEnum
from importlib.resources import files

import pytest

from continuum.journal.limits import (
    AUDIT_KEPT_SECONDS,
    HOURS_KEPT_SECONDS,
    MINUTES_KEPT_SECONDS,
    NOTIFICATION_IDS,
    PARKED_EVENTS,
)
from continuum.journal.port import ClosePolicy, InboxKind, Posted, RunState
from continuum.journal.postgres.family_writes import LOCK_ONLY
from continuum.journal.postgres.statements import statement_files, statements_for
from continuum_migrations.files import read_files
from continuum_migrations.names import NAMES

STATEMENTS = "\n".join(statement_files().values())
FUNCTIONS = files("continuum_migrations").joinpath("functions")
TEXTS = {f"statements/{name}": text for name, text in statement_files().items()} | {
    entry.name: entry.read_text() for entry in FUNCTIONS.iterdir() if entry.name.endswith(".sql")
}
# A state, a kind or a close policy compared with a number or set to one.
BARE = re.compile(r"\b(state|kind|close_policy)\b *(=|<>|<=|>=|<|>|IN \(|\+) *\d")


@pytest.mark.parametrize(
    ("group", "enum"),
    [("state", RunState), ("kind", InboxKind), ("posted", Posted), ("close_policy", ClosePolicy)],
)
def test_each_number_has_the_name_of_the_journal(group: str, enum: type[IntEnum]) -> None:
    named = {name: number for name, number in NAMES.items() if name.startswith(f"{group}.")}
    # A corrupt entry is what a journal makes of a row that it cannot read: no row says so.
    wanted = {
        f"{group}.{member.name.lower()}": str(member.value) for member in enum if member.name != "CORRUPT"
    }
    assert named == wanted


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("is_active", {RunState.RUNNING, RunState.SUSPENDED}),
        ("is_open", {state for state in RunState if not state.terminal}),
        ("is_terminal", {state for state in RunState if state.terminal}),
    ],
)
def test_each_range_holds_the_states_that_it_names(name: str, members: set[RunState]) -> None:
    sign, number = NAMES[name].split()
    compare = {"<=": operator.le, ">=": operator.ge}[sign]
    assert {state for state in RunState if compare(state, int(number))} == members


def test_a_run_that_is_only_locked_has_the_same_token_on_both_sides() -> None:
    assert NAMES["token.lock_only"] == str(LOCK_ONLY)


def test_one_notification_names_as_many_ids_on_both_sides() -> None:
    assert NAMES["limit.ids"] == str(NOTIFICATION_IDS)


def test_the_record_of_changes_is_kept_for_as_long_on_both_sides() -> None:
    assert NAMES["limit.audit"] == str(AUDIT_KEPT_SECONDS)


def test_statistics_are_kept_for_as_long_on_both_sides() -> None:
    assert NAMES["limit.minutes"] == str(MINUTES_KEPT_SECONDS)
    assert NAMES["limit.hours"] == str(HOURS_KEPT_SECONDS)


def test_a_run_that_its_first_write_resumes_has_as_many_events_on_both_sides() -> None:
    assert NAMES["limit.parked_events"] == str(PARKED_EVENTS)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_sql_spells_a_number_out_that_has_a_name(name: str) -> None:
    assert BARE.findall(TEXTS[name]) == []


def test_every_name_is_replaced() -> None:
    read = read_files()
    statements = statements_for("continuum")
    named = re.findall(r"^-- name: (\w+)$", STATEMENTS, re.MULTILINE)
    texts = [file.sql for file in (*read.tables, *read.functions)]
    texts += [statements[name].decode() for name in named]
    left = {name for text in texts for name in re.findall(r"\{[a-z_]+(?:\.[a-z_]+)?\}", text)}
    assert left == {"{schema}", "{schema.name}"}
