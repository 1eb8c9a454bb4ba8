"""What we set in every session, whatever the configuration, the database, the role or the DSN says.

`postgresql.conf`, ALTER DATABASE and ALTER ROLE change how a text is read, which isolation a transaction has
and when the server ends a statement or a session. So each new connection is set up with one statement.
Behind a pooler that gives every transaction another session that would reach the sessions of others,
and miss our own: there each statement is a transaction that begins with the same settings, for itself.

`default_transaction_read_only` is left alone: operators freeze a database with it on purpose. Such a
database takes no writes, which is reported as an outage.
"""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql

from continuum.journal.limits import IDLE_TRANSACTION_SECONDS

# By name, with its reason where the value alone does not tell.
_SETTINGS = {
    "client_encoding": "UTF8",
    # Our statements name the schema of everything; operators and functions come from nowhere else.
    "search_path": "pg_catalog, pg_temp",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # Policies of an operator hold for us, too; `off` would make statements errors.
    "row_security": "on",
    # A statement that waits for a lock is ended by the limit on statements.
    "lock_timeout": "0",
    # A listener is idle for as long as nothing happens.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS:.0f}s",
}
# Server versions from which on a setting exists.
_LATER_SETTINGS = {170_000: {"transaction_timeout": "0"}}

# What was acknowledged must survive a crash of the server. An operator who runs the server without fsync has
# decided otherwise for all of it. Any other value is about standbys, and is the operator's choice.
_DURABLE = """
set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') <> 'off'
    OR current_setting('fsync') = 'off' AND (SELECT s.source FROM pg_catalog.pg_settings s
        WHERE s.name = 'synchronous_commit') IN ('command line', 'configuration file')
    THEN current_setting('synchronous_commit') ELSE 'on' END, {local})
"""

BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"
BEGIN_READ_ONLY = BEGIN + b" READ ONLY"
# All statements of such a transaction see what was stored when its first one began.
BEGIN_MOMENT = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
COMMIT = b"COMMIT"


# The transactions behind a pooler all begin with the same statement.
@lru_cache(maxsize=8)
def setup(server_version: int, statement_seconds: float, *, local: bool, only_in: int | None = None) -> bytes:
    """Return the statement that sets up a session, or with `local` the transaction that it is in.

    Its row begins with the process id of the session. With `only_in` it sets up only the session of that
    process: behind a pooler another one answers.
    """
    settings = dict(_SETTINGS)
    for version, later in _LATER_SETTINGS.items():
        if server_version >= version:
            settings |= later
    settings["statement_timeout"] = f"{statement_seconds:.0f}s"
    scope = "true" if local else "false"
    calls = [f"set_config({_literal(name)}, {_literal(value)}, {scope})" for name, value in settings.items()]
    calls.append(_DURABLE.strip().format(local=scope))
    if only_in is not None:
        calls = [f"CASE WHEN pg_backend_pid() = {only_in:d} THEN {call} END" for call in calls]
    return f"SELECT pg_backend_pid(), {', '.join(calls)}".encode()


def _literal(text: str) -> str:
    return sql.Literal(text).as_string(None)
