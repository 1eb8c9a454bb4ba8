"""`continuum init`: writes a small project that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from continuum.cli.printing import say
from continuum.development.new_project import write_project
from continuum.development.project_names import checked_name, name_of_directory
from continuum.errors import InvalidOption


@click.command(short_help="Write a small project that runs.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the project and its package; otherwise DIRECTORY's.")
def init(directory: Path, name: str | None) -> None:
    """Write a small project into DIRECTORY: a workflow, its test, and files to deploy it with.

    They are a Dockerfile, a compose file with Postgres and the observer, and a systemd unit. DIRECTORY is
    made, or is empty.
    """
    try:
        named = name_of_directory(directory) if name is None else checked_name(name)
        written = write_project(directory, named)
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}") from error
    for path in written:
        say(str(directory / path))
    steps = (
        f"cd {shlex.quote(str(directory))}; pip install -e '.[dev]'; pytest; continuum dev {named}.workflows"
    )
    say(f"\nnext: {steps}", err=True)
