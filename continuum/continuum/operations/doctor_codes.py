"""The codes of `continuum doctor`: what each means, and what to do. `docs/health.md` shows this table."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.operations.findings import Code, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

DOCTOR_CODES: Mapping[str, Code] = {
    "postgres-old": Code(
        _ERROR,
        "the server is older than the SQL was written for",
        "move the database to a newer server",
    ),
    "postgres-minor": Code(
        _WARNING,
        "this minor release damages indexes that are built or rebuilt concurrently (14.0 to 14.3)",
        "update the server, then reindex",
    ),
    "schema": Code(
        _ERROR,
        "the schema is missing, older or newer than this package, or not ours",
        "`continuum migrate`, or a package of the same age",
    ),
    "read-only": Code(
        _ERROR,
        "the database takes no writes: it is a standby, or somebody froze it",
        "give the DSN of the primary, or end the freeze",
    ),
    "fsync-off": Code(
        _ERROR,
        "a crash of the machine may lose or damage what was acknowledged",
        "turn fsync on",
    ),
    "full-page-writes-off": Code(
        _ERROR,
        "a crash of the machine may leave half-written pages",
        "turn full_page_writes on, unless the file system writes pages whole",
    ),
    "connections": Code(
        _WARNING,
        "the connections of all nodes come close to what the server accepts",
        "raise max_connections, or open fewer",
    ),
    "rights": Code(
        _ERROR,
        "the role lacks a right that a node needs; the right to create anything is needed by `migrate` alone",
        "grant it, as the owner of the schema",
    ),
    "table-missing": Code(
        _ERROR,
        "a table of the schema is not there, and nothing that nodes do works",
        "restore it from a backup",
    ),
    "column-missing": Code(
        _ERROR,
        "a column of a table is not there, and what reads it does not work",
        "restore it from a backup, or add it again if it is computed from others",
    ),
    "index-missing": Code(
        _ERROR,
        "an index of the schema is not there; claims or lists then read whole tables",
        "`continuum repair index-missing INDEX`",
    ),
    "index-invalid": Code(
        _WARNING,
        "a build of this index was interrupted; it is written to and never used",
        "`continuum repair index-invalid INDEX`, which also drops what a rebuild of ours left behind",
    ),
    "function-missing": Code(
        _ERROR,
        "a function of the schema is not there",
        "`continuum repair function-missing FUNCTION`, or `continuum migrate` for all of them",
    ),
    "sequence-missing": Code(
        _ERROR,
        "a sequence of the schema is not there: no run is claimed, or no change of a state is recorded",
        "create it again, behind all numbers that it has given",
    ),
    "view-missing": Code(
        _WARNING,
        "a view for people is not there; nodes need none",
        "`continuum migrate`, which creates it again",
    ),
    "autovacuum-off": Code(
        _ERROR,
        "nothing removes dead rows; tables grow, and claims become slow",
        "turn autovacuum on",
    ),
    "bloat": Code(
        _WARNING,
        "a table has far more dead rows than autovacuum should leave",
        "look for what holds vacuum back, then vacuum the table",
    ),
    "old-transaction": Code(
        _WARNING,
        "a transaction has been open for long; no row that died since can be removed",
        "end it",
    ),
    "prepared-transaction": Code(
        _WARNING,
        "a prepared transaction was neither committed nor rolled back; it holds its locks, and vacuum back",
        "commit it or roll it back",
    ),
    "slot": Code(
        _WARNING,
        "nobody reads a replication slot; the server keeps WAL or dead rows for it until its disk is full",
        "start its reader, or drop it",
    ),
    "activity-hidden": Code(
        _NOTE,
        "this role may not see what other sessions do, so an old transaction may have been missed",
        "grant it pg_read_all_stats",
    ),
    "listen": Code(
        _WARNING,
        "a notification did not arrive on a connection that listens as nodes do",
        "run nodes with `--no-listen`, or give them the DSN of the server itself",
    ),
    "clock": Code(
        _WARNING,
        "the clock of this machine differs from the server's, which all times of runs come from",
        "synchronise both",
    ),
    "node-clock": Code(
        _WARNING,
        "the clock of a node's machine differs from the server's, so the times in its log mislead",
        "synchronise both",
    ),
    "release-differs": Code(
        _NOTE,
        "a node runs another release than this command, as in a rolling update",
        "update the older one",
    ),
    "time-zones": Code(
        _WARNING,
        "Python finds no time-zone data on this machine",
        "install tzdata",
    ),
}
