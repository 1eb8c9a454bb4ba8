"""What can go wrong with a schema; each message is one line that ends in what to do."""

from __future__ import annotations


class MigrationError(Exception):
    """Base of every error of the migrations."""


class InvalidSchemaName(MigrationError):
    """The name cannot be a schema of ours."""


class ServerTooOld(MigrationError):
    """The Postgres server lacks what the SQL needs."""


class NotUtf8(MigrationError):
    """The encoding of the database cannot hold every text."""


class SchemaBehind(MigrationError):
    """The schema is missing, or older than this code; `continuum migrate` brings it up to date."""


class SchemaTooNew(MigrationError):
    """The schema was migrated by newer code than this."""


class MigrationChanged(MigrationError):
    """A file of tables is not the one that was applied."""


class OldLayout(MigrationError):
    """The schema was made before the first release, when all SQL was in numbered files."""


class NotOurSchema(MigrationError):
    """The schema was not made by these migrations, or not all in it: they leave it as it is."""


class NodesAlive(MigrationError):
    """A node still works with the schema that is to be dropped."""


class MigrationFilesWrong(MigrationError):
    """The SQL files themselves are missing, misnamed, or leave a gap."""
