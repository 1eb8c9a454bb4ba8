"""Every command that names a run takes --namespace, and refuses a run of any other."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from continuum.cli.main import continuum
from tests.cli.commands import CommandLine

# The arguments of each command after the id of its run.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "attributes": ('{"a": 1}',),
    "cancel": (),
    "debug": (),
    "explain": (),
    "replay": (),
    "result": (),
    "runs cancel": (),
    "runs delete": ("--yes",),
    "runs fork": ("--at", "1", "--yes"),
    "runs history": (),
    "runs pause": ("--yes",),
    "runs read": ("progress",),
    "runs resume": ("--yes",),
    "runs reset": ("--at", "1", "--yes"),
    "runs restart": ("--yes",),
    "runs show": (),
    "runs unblock": (),
    "signal": ("review", "1"),
}


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command below a group, by its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def naming_a_run() -> dict[str, click.Command]:
    """Return the commands that take the id of a run."""
    return {
        name: command
        for name, command in commands(continuum)
        if any(isinstance(part, click.Argument) and part.name == "run" for part in command.params)
    }


def test_every_command_that_names_a_run_takes_a_namespace() -> None:
    unguarded = [
        name
        for name, command in naming_a_run().items()
        if not any("--namespace" in part.opts for part in command.params)
    ]
    assert not unguarded
    assert set(naming_a_run()) == set(ARGUMENTS), "a new command needs a row in ARGUMENTS"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_refuses_a_run_of_another_namespace(cli: CommandLine, name: str) -> None:
    """NSP1."""
    run_id = cli("start", "greeting", "--namespace", "eu").out.strip()
    before = cli("runs", "show", run_id, "--json", "--namespace", "eu").json
    outcome = cli(*name.split(), run_id, *ARGUMENTS[name], "--namespace", "us")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"continuum: no run has the id {run_id} in namespace 'us'")
    assert cli("runs", "show", run_id, "--json").json == before
