"""What can go wrong with a schema; each message is one line that ends in what to do."""

from __future__ import annotations


class MigrationError(Exception):
    """Base of every error of the migrations."""


class InvalidSchemaName(MigrationError):
    """The name cannot be a schema of ours."""


class ServerTooOld(MigrationError):
    """The Postgres server lacks what the SQL needs."""


class SchemaBehind(MigrationError):
    """The schema is missing, or older than this code; `continuum migrate` mends it."""


class SchemaTooNew(MigrationError):
    """The schema was migrated by newer code than this."""


class MigrationChanged(MigrationError):
    """The file of an applied migration is not what was applied."""


class MigrationFilesWrong(MigrationError):
    """The numbered files themselves are missing, misnamed, or leave a gap."""
