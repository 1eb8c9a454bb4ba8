"""What the engine stands on, as a server says it: settings, indexes, tables, what holds vacuum back, rights.

Data only. `postgres/ground.py` reads it, and nothing here is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.health_port import HealthNode


class Setting(NamedTuple):
    """A setting and where its value comes from, as in `pg_settings`."""

    value: str
    source: str


class StoredIndex(NamedTuple):
    """An index of the schema; one that is being built counts as valid."""

    table: str
    name: str
    valid: bool
    primary: bool


class StoredTable(NamedTuple):
    """How many rows of a table are live and dead, and at how many dead ones autovacuum begins.

    `vacuumed` says whether autovacuum is on for this table.
    """

    name: str
    live: int
    dead: int
    begins_at: float
    vacuumed: bool


class Holder(NamedTuple):
    """What keeps vacuum from removing rows, or the server from removing WAL.

    `kind` is ``transaction``, ``prepared`` or ``slot``; `name` is the process, the name of the prepared
    transaction or that of the slot. `seconds` is its age, `transactions` how many are held back.
    """

    kind: str
    name: str
    seconds: float
    kept_bytes: int
    transactions: int
    whose: str


class Lacking(NamedTuple):
    """What the role lacks rights on; `kind` is ``schema``, ``table``, ``sequence`` or ``function``."""

    kind: str
    name: str
    rights: tuple[str, ...]


class ClockReading(NamedTuple):
    """How many seconds a clock is ahead of the server's, give or take the uncertainty of the reading."""

    ahead: float
    uncertain: float


@dataclass(frozen=True, slots=True)
class Ground:
    """What a server and a schema are like. What could not be read is empty, as `schema_problem` says.

    `unheard` says why a notification did not arrive, None if it did. `hidden` counts sessions of which this
    role may not see what they do.
    """

    role: str
    database: str
    schema: str
    server_version: int
    in_recovery: bool
    settings: Mapping[str, Setting]
    clock: ClockReading
    schema_problem: str | None = None
    unheard: str | None = None
    room: ConnectionRoom | None = None
    nodes_listen: bool = True
    indexes: tuple[StoredIndex, ...] = ()
    functions: frozenset[str] = frozenset()
    tables: tuple[StoredTable, ...] = ()
    holders: tuple[Holder, ...] = ()
    hidden: int = 0
    lacking: tuple[Lacking, ...] = ()
    nodes: tuple[HealthNode, ...] = ()
    # Those of tables that are there, as `table.column`.
    lost_columns: tuple[str, ...] = ()
    lost_sequences: tuple[str, ...] = ()
    lost_views: tuple[str, ...] = ()
