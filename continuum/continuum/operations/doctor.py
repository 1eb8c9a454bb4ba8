"""`diagnose`: what is wrong with what the engine stands on. Facts in, findings out.

`journal/postgres/ground.py` reads the facts; `time_zones.py` asks this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from continuum.journal.connection_room import USUAL_PART, ConnectionRoom
from continuum.journal.ground_facts import Ground, Holder, Lacking, StoredIndex
from continuum.journal.health_port import HealthNode
from continuum.operations.doctor_codes import DOCTOR_CODES
from continuum.operations.findings import Finding
from continuum.operations.repair_commands import BAD_BUILDS, left_behind, repair_command
from continuum.operations.sql_text import identifier, literal
from continuum.quoting import listed, shortened
from continuum_migrations import OLDEST_SERVER, Expected

_MEGABYTE = 1 << 20
_RELOAD = "SELECT pg_reload_conf();"


class Limits(NamedTuple):
    """From when on something is a finding.

    A transaction of ten minutes is no step of a run, and vacuum can wait for as long. A gigabyte of WAL, or a
    million transactions, is what a busy hour makes. A second is more than any synchronised clock is off, and
    the report of a node may be late by another. Some thousand dead rows cost nothing.
    """

    transaction_seconds: float = 600.0
    slot_bytes: int = 1 << 30
    slot_transactions: int = 1_000_000
    clock_seconds: float = 1.0
    node_clock_seconds: float = 2.0
    dead_rows: int = 10_000


LIMITS = Limits()


def diagnose(
    ground: Ground,
    expected: Expected,
    *,
    time_zones: bool = True,
    own_release: str | None = None,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """Return what is wrong, in the order of the codes; `own_release` is that of this package."""
    found = [
        *_server(ground),
        *_schema(ground),
        *_objects(ground, expected),
        *_parts(ground, expected),
        *_vacuum(ground, limits),
        *_machine(ground, limits, own_release, time_zones=time_zones),
    ]
    order = list(DOCTOR_CODES)
    return sorted(found, key=lambda finding: order.index(finding.code))


def _finding(code: str, subject: str, sentence: str, *fixes: str, evidence: str = "") -> Finding:
    return Finding(
        code, DOCTOR_CODES[code].severity, subject, sentence, fixes, evidence=(evidence,) if evidence else ()
    )


def _server(ground: Ground) -> Iterator[Finding]:
    version = ground.server_version
    if version < OLDEST_SERVER * 10_000:
        text = f"the server is Postgres {version // 10_000}; move the database to {OLDEST_SERVER} or newer"
        yield _finding("postgres-old", "server", text)
    elif version in BAD_BUILDS:
        text = (
            f"Postgres 14.{version % 10_000} damages indexes that are built concurrently; update the server "
            "to the latest 14, then reindex"
        )
        yield _finding("postgres-minor", "server", text, f"REINDEX SCHEMA {identifier(ground.schema)};")
    if ground.in_recovery:
        yield _finding("read-only", "server", "the server is a standby; give the DSN of the primary")
    elif _value(ground, "default_transaction_read_only") == "on":
        text = "the database takes no writes (default_transaction_read_only is on)"
        yield _setting(ground, "read-only", "default_transaction_read_only", text, "off")
    if _value(ground, "fsync") == "off":
        lost = ""
        if _value(ground, "synchronous_commit") == "off":
            lost = ", and synchronous_commit is off: even a crash of Postgres alone loses the latest commits"
        text = f"fsync is off: a crash of the machine may lose or damage what was acknowledged{lost}"
        yield _setting(ground, "fsync-off", "fsync", text, "on")
    if _value(ground, "full_page_writes") == "off":
        text = "full_page_writes is off: a crash of the machine may leave half-written pages"
        yield _setting(ground, "full-page-writes-off", "full_page_writes", text, "on")
    if ground.room is not None and ground.room.warning is not None:
        yield _finding("connections", "server", ground.room.warning, *_more_connections(ground, ground.room))


def _value(ground: Ground, name: str) -> str | None:
    setting = ground.settings.get(name)
    return None if setting is None else setting.value


def _setting(ground: Ground, code: str, name: str, text: str, value: str) -> Finding:
    """Return a finding about a setting, with the command that changes it where it was set."""
    role, database = identifier(ground.role), identifier(ground.database)
    source = ground.settings[name].source
    match source:
        case "command line":
            return _finding(code, name, f"{text}; it is set on the server's command line: start it without")
        case "environment variable" | "client":
            return _finding(code, name, f"{text}; it is set by the DSN or the environment: remove it there")
        case "database":
            fixes = [f"ALTER DATABASE {database} RESET {name};"]
        case "user":
            fixes = [f"ALTER ROLE {role} RESET {name};"]
        case "database user":
            fixes = [f"ALTER ROLE {role} IN DATABASE {database} RESET {name};"]
        case _:
            fixes = [f"ALTER SYSTEM SET {name} = {value};", _RELOAD]
    if name == "default_transaction_read_only":
        # A session that it concerns could not change it.
        fixes.insert(0, f"SET {name} = off;")
    return _finding(code, name, f"{text}; turn it {value}, as a superuser", *fixes)


def _more_connections(ground: Ground, room: ConnectionRoom) -> Iterator[str]:
    """Yield the command that gives the nodes room; the server has to be started again for it."""
    configured = _value(ground, "max_connections")
    if configured is not None and ground.settings["max_connections"].source != "command line":
        reserved = int(configured) - room.accepted
        wanted = int((room.nodes + room.others) / USUAL_PART) + reserved
        yield f"ALTER SYSTEM SET max_connections = {(wanted // 10 + 1) * 10};"


def _schema(ground: Ground) -> Iterator[Finding]:
    if ground.schema_problem is not None:
        migrate = f"continuum migrate --schema {ground.schema}"
        fixes = [migrate] if "run continuum migrate" in ground.schema_problem else []
        yield _finding("schema", ground.schema, ground.schema_problem, *fixes, evidence=ground.schema_problem)
    by_kind: dict[str, list[Lacking]] = {}
    for each in ground.lacking:
        by_kind.setdefault(each.kind, []).append(each)
    for kind, lacking in by_kind.items():
        rights = ", ".join(sorted({right for each in lacking for right in each.rights}))
        names = listed(each.name for each in lacking)
        text = f"role {ground.role} lacks {rights} on {kind} {names}; grant it as the owner of the schema"
        yield _finding("rights", f"{kind}s", text, _grant(ground, kind), evidence=rights)


def _grant(ground: Ground, kind: str) -> str:
    schema, role = identifier(ground.schema), identifier(ground.role)
    match kind:
        case "schema":
            return f"GRANT USAGE ON SCHEMA {schema} TO {role};"
        case "table":
            return f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
        case "sequence":
            return f"GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
        case _:
            return f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role};"


def _objects(ground: Ground, expected: Expected) -> Iterator[Finding]:
    if not ground.indexes and not ground.functions:
        # Nothing of the schema could be read, which is a finding of its own.
        return
    there = {index.name: index for index in ground.indexes}
    tables = {table.name for table in ground.tables}
    for lost in sorted({index.table for index in expected.indexes.values()} - tables):
        text = f"table {lost} is missing, with all its rows; restore it from a backup"
        yield _finding("table-missing", lost, text)
    for name, index in expected.indexes.items():
        if name not in there and index.table in tables:
            text = f"index {name} is missing; create it, which lets nodes work meanwhile"
            yield _finding("index-missing", name, text, _repair(ground, "index-missing", name))
        elif name in there and index.primary and there[name].valid and not there[name].primary:
            text = f"index {name} is not the primary key of table {index.table}; make it that"
            yield _finding("index-missing", name, text, _repair(ground, "index-missing", name))
    for stored in ground.indexes:
        if not stored.valid:
            yield _invalid(ground, stored, expected)
    gone = {expected.functions[name]: name for name in expected.functions if name not in ground.functions}
    for file, name in gone.items():
        text = f"function {name} of {file} is missing; create it again, which lets nodes work meanwhile"
        yield _finding("function-missing", name, text, _repair(ground, "function-missing", name))


def _parts(ground: Ground, expected: Expected) -> Iterator[Finding]:
    """Judge columns, sequences and views that are lost."""
    schema = identifier(ground.schema)
    for named in ground.lost_columns:
        table, _, column = named.partition(".")
        text = f"column {column} of table {table} is missing, with its values in all rows"
        if named in expected.computed:
            text += "; it is computed from others: stop the nodes, add it again, and then its indexes"
            added = f"{identifier(column)} {expected.computed[named]}"
            fix = f"ALTER TABLE {schema}.{identifier(table)} ADD COLUMN {added};"
            yield _finding("column-missing", named, text, fix)
        else:
            yield _finding("column-missing", named, f"{text}; stop the nodes, and restore it from a backup")
    for name in ground.lost_sequences:
        text = f"sequence {name} is missing; create it again, behind all numbers that it has given"
        yield _finding("sequence-missing", name, text, *_sequence(schema, name))
    for name in ground.lost_views:
        text = f"view {name} is missing; create it again, which lets nodes work meanwhile"
        yield _finding("view-missing", name, text, f"continuum migrate --schema {ground.schema}")


def _sequence(schema: str, name: str) -> Iterator[str]:
    """Yield the statements that create a sequence again, in order."""
    own = f"{schema}.{identifier(name)}"
    match name:
        case "fencing_token":
            given = f"SELECT max(token) FROM {schema}.runs"
        case "state_change_position":
            # A reader has seen what was removed.
            removed = f"SELECT removed FROM {schema}.state_change_log"
            given = f"SELECT max(position) FROM {schema}.state_changes UNION ALL {removed}"
        case _:
            return
    yield f"CREATE SEQUENCE {own};"
    yield f"SELECT setval({literal(own)}, (SELECT greatest(max(x), 1) FROM ({given}) AS given (x)));"
    if name == "state_change_position":
        # It went with the sequence.
        default = f"SET DEFAULT nextval({literal(own)})"
        yield f"ALTER TABLE {schema}.state_changes ALTER COLUMN position {default};"


def _repair(ground: Ground, code: str, name: str) -> str:
    return repair_command(code, name, ground.schema)


def _invalid(ground: Ground, index: StoredIndex, expected: Expected) -> Finding:
    text = f"index {index.name} of table {index.table} is invalid: its build was interrupted"
    if index.name in expected.indexes:
        text += "; rebuild it, and if that fails for duplicates, `continuum verify` names them"
    elif left_behind(index.name) not in expected.indexes:
        named = f"{identifier(ground.schema)}.{identifier(index.name)}"
        drop = f"DROP INDEX CONCURRENTLY {named};"
        return _finding("index-invalid", index.name, f"{text}; drop it", drop)
    else:
        text += "; drop it"
    return _finding("index-invalid", index.name, text, _repair(ground, "index-invalid", index.name))


def _vacuum(ground: Ground, limits: Limits) -> Iterator[Finding]:
    for name in ("autovacuum", "track_counts"):
        if _value(ground, name) == "off":
            yield _setting(
                ground, "autovacuum-off", name, f"{name} is off: dead rows are never removed", "on"
            )
    for table in ground.tables:
        named = f"{identifier(ground.schema)}.{identifier(table.name)}"
        if not table.vacuumed:
            text = f"autovacuum is off for table {table.name}; turn it on"
            yield _finding(
                "autovacuum-off", table.name, text, f"ALTER TABLE {named} RESET (autovacuum_enabled);"
            )
        if table.dead >= limits.dead_rows and table.dead > 2 * table.begins_at:
            text = (
                f"table {table.name} has {table.dead:,} dead rows and {table.live:,} live ones; look for "
                "old transactions and slots, then vacuum it"
            )
            yield _finding("bloat", table.name, text, f"VACUUM (ANALYZE) {named};")
    for holder in ground.holders:
        yield from _held(holder, limits)
    if ground.hidden:
        text = f"role {ground.role} may not see what {ground.hidden} sessions do; grant it that"
        fix = f"GRANT pg_read_all_stats TO {identifier(ground.role)};"
        yield _finding("activity-hidden", ground.role, text, fix)


def _held(holder: Holder, limits: Limits) -> Iterator[Finding]:
    name, old = shortened(holder.name), holder.seconds >= limits.transaction_seconds
    match holder.kind:
        case "transaction" if old:
            text = (
                f"the transaction of process {name} ({holder.whose}) has been open for "
                f"{holder.seconds:.0f} s; end it"
            )
            yield _finding("old-transaction", name, text, f"SELECT pg_terminate_backend({holder.name});")
        case "prepared" if old:
            text = (
                f"transaction {name} of {holder.whose} has been prepared for {holder.seconds:.0f} s; "
                "commit it or roll it back"
            )
            yield _finding("prepared-transaction", name, text, f"ROLLBACK PREPARED {literal(holder.name)};")
        case "slot" if (
            holder.kept_bytes >= limits.slot_bytes or holder.transactions >= limits.slot_transactions
        ):
            text = (
                f"nobody reads the {holder.whose} replication slot {name}, for which the server keeps "
                f"{holder.kept_bytes // _MEGABYTE} MB of WAL; start its reader, or drop it"
            )
            yield _finding("slot", name, text, f"SELECT pg_drop_replication_slot({literal(holder.name)});")
        case _:
            return


def _machine(
    ground: Ground, limits: Limits, own_release: str | None, *, time_zones: bool
) -> Iterator[Finding]:
    if ground.unheard is not None and ground.nodes_listen:
        text = (
            f"LISTEN does not work with this DSN: {ground.unheard}; run nodes with --no-listen and connect "
            "with listen=False, or give them the DSN of the server itself"
        )
        yield _finding("listen", "server", text)
    ahead, uncertain = ground.clock
    if abs(ahead) - uncertain > limits.clock_seconds:
        where = "ahead of" if ahead > 0 else "behind"
        text = f"the clock of this machine is {abs(ahead):.1f} s {where} the server's; synchronise both (NTP)"
        yield _finding("clock", "machine", text)
    for node in ground.nodes:
        yield from _node(node, limits, own_release)
    if not time_zones:
        text = "Python finds no time-zone data on this machine; install the system's, or the package tzdata"
        yield _finding("time-zones", "machine", text, "python -m pip install tzdata")


def _node(node: HealthNode, limits: Limits, own_release: str | None) -> Iterator[Finding]:
    if not node.alive:
        return
    name, ahead = shortened(node.node), node.clock_ahead
    if ahead is not None and abs(ahead) > limits.node_clock_seconds:
        where = "ahead of" if ahead > 0 else "behind"
        text = f"the clock of node {name} is {abs(ahead):.1f} s {where} the server's; synchronise both (NTP)"
        yield _finding("node-clock", node.node, text)
    if node.code is not None and own_release is not None and node.code.release != own_release:
        text = (
            f"node {name} runs release {shortened(node.code.release)} and this is {own_release}; update the "
            "older one once every node can read what the newer writes"
        )
        yield _finding("release-differs", node.node, text, evidence=node.code.release)
