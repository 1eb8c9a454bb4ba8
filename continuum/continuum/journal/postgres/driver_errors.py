"""The errors of the driver, translated into ours: what passes is `JournalUnavailable`, in its own words."""

from __future__ import annotations

from types import TracebackType

import psycopg

from continuum.errors import (
    ContinuumError,
    InvalidOption,
    JournalUnavailable,
    SchemaOutOfDate,
    StatementCancelled,
)

# The classes of SQL states that pass without a change of the statement: connections, refused logins,
# conflicts, lack of resources, locks, shutdowns, and errors of the server's machine.
PASSING = frozenset(("08", "28", "40", "53", "55", "57", "58"))

# What a server says to a statement about a schema of another version. The last two: a function or a type has
# other columns than the statement gives it.
UNKNOWN_OBJECTS = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.CannotCoerce,
    psycopg.errors.DatatypeMismatch,
)

StandbyError = psycopg.errors.ReadOnlySqlTransaction


class translated:  # noqa: N801 - reads as the function that it stands for
    """Turns the driver's errors into ours. A class, because every statement goes through it."""

    __slots__ = ()

    async def __aenter__(self) -> None:
        """Nothing is needed beforehand."""

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error) and (ours := _translation(error)) is not None:
            raise ours from error


def _translation(error: psycopg.Error) -> ContinuumError | None:
    match error:
        case psycopg.Error() if isinstance(error, UNKNOWN_OBJECTS):
            return lacking(error)
        case StandbyError():
            return no_writes()
        case psycopg.errors.InvalidSqlStatementName() | psycopg.errors.DuplicatePreparedStatement():
            return JournalUnavailable(
                f"a pooler gave this statement another session ({first_line(error)}); behind a pooler in "
                "transaction mode run nodes with --no-listen, and connect with listen=False"
            )
        case psycopg.errors.InsufficientPrivilege():
            return InvalidOption(
                f"the role of the DSN lacks a right ({first_line(error)}); `continuum doctor` has the grant"
            )
        case psycopg.OperationalError() | psycopg.InterfaceError():
            # Otherwise the statement itself is wrong: a retry would fail for ever.
            passes = error.sqlstate is None or error.sqlstate[:2] in PASSING
            return unavailable(error) if passes else None
        case _:
            return None


def lacking(error: psycopg.Error) -> SchemaOutOfDate:
    """Return what to report for something that the schema should have and does not."""
    return SchemaOutOfDate(
        f"the database schema is missing, of another version, or has lost something ({first_line(error)}); "
        "run `continuum migrate`, and if that changes nothing `continuum doctor`: a table or column that is "
        "lost comes back from a backup"
    )


def no_writes() -> JournalUnavailable:
    """Return what to report for a server that only reads."""
    return JournalUnavailable(
        "Postgres takes no writes (is it a standby?); the next connection may find the primary"
    )


def unavailable(error: psycopg.Error) -> JournalUnavailable:
    """Return what to report for an error that passes: only a lost or refused connection is unreachable."""
    state, text = error.sqlstate or "", first_line(error)
    if state == "57014":
        return StatementCancelled(
            f"Postgres cancelled a statement ({text}); check statement_timeout of the user and the database"
        )
    if state.startswith("40"):
        return JournalUnavailable(
            f"Postgres ended a transaction in favour of another ({text}); it can be repeated"
        )
    if state == "55P03":
        return JournalUnavailable(
            f"Postgres did not get a lock ({text}); check lock_timeout, and what holds the lock"
        )
    if state == "53300":
        return JournalUnavailable(
            f"too many connections: Postgres has none left for this process ({text}); raise max_connections, "
            "run fewer processes, or give nodes fewer with --connections, and see pg_stat_activity"
        )
    if state.startswith("53"):
        return JournalUnavailable(
            f"Postgres is short of resources ({text}); check its connections, memory and disk"
        )
    return JournalUnavailable(f"Postgres cannot be reached ({text}); check the DSN and the server")


def first_line(error: Exception) -> str:
    """Return the first line of an error, or its name."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
