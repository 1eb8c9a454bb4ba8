"""What to do about rows with a time that no engine writes; the log of a node and `health` say the same."""

from __future__ import annotations

from typing import NamedTuple

from continuum.journal.odd_rows import OddRow
from continuum.operations.sql_text import identifier, literal


class Advice(NamedTuple):
    """What the row is called, what comes of the odd time, and what to do."""

    what: str
    effect: str
    mend: str


_ADVICE = {
    ("runs", "due_at"): Advice(
        "run",
        "no node continues it",
        "look at it with `continuum verify`, and set its due_at to now() or to the time that was meant",
    ),
    ("runs", "retain_until"): Advice(
        "run",
        "it is never removed",
        "set its retain_until to NULL if it is to be kept, else to the time that was meant",
    ),
    ("tasks", "due_at"): Advice("activity task", "no node begins it", "set its due_at to now()"),
    ("workers", "expires_at"): Advice(
        "worker",
        "no other node takes over its runs when its process is gone",
        "look at it with `continuum verify`, and set its expires_at to now()",
    ),
    ("nodes", "renewed_at"): Advice(
        "node",
        "it is listed for ever",
        "delete its row if the node is gone",
    ),
    ("suspects", "since"): Advice("suspect", "it is suspected for ever", "set its since to now()"),
    ("suspects", "killed_at"): Advice(
        "suspect",
        "its workflow may be kept apart for ever",
        "set its killed_at to NULL",
    ),
}
_REPAIRS = {("runs", "due_at"): "odd-time", ("workers", "expires_at"): "lease-odd"}
# The new value of the column, where one is right whatever was meant.
_MENDED = {
    ("runs", "due_at"): "now()",
    ("tasks", "due_at"): "now()",
    ("workers", "expires_at"): "now()",
    ("suspects", "since"): "now()",
    ("suspects", "killed_at"): "NULL",
}


def advice_for(row: OddRow) -> Advice:
    """Return what an odd row means."""
    return _ADVICE[row.table, row.column]


def repair_of(row: OddRow) -> tuple[str, str] | None:
    """Return code and subject of the repair that mends an odd row, None if it is no rule of `verify`."""
    # A worker is named with its node behind its id.
    subject = row.row.partition(" ")[0]
    return None if (code := _REPAIRS.get((row.table, row.column))) is None else (code, subject)


def mending_sql(row: OddRow, schema: str) -> str | None:
    """Return the statement that mends an odd row, None if a person has to decide what was meant."""
    value = _MENDED.get((row.table, row.column))
    if value is None:
        return None
    table = f"{identifier(schema)}.{row.table}"
    if row.table in ("tasks", "suspects"):
        run, _, seq = row.row.partition("/")
        where = f"run_id = {literal(run)} AND seq = {int(seq)}"
    else:
        # A worker is named with its node behind its id.
        where = f"id = {literal(row.row.partition(' ')[0])}"
    return f"UPDATE {table} SET {row.column} = {value} WHERE {where};"
