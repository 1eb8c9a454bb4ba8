"""The history and the code that `continuum debug` and `continuum replay` bring together.

A history comes from the database, read in transactions that cannot write, or from a file; the code is what
is on disk now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from continuum import guard
from continuum.cli.database import Target, ask_journal
from continuum.client.argument_checks import run_id_of
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace, guarded
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidOption, RunNotFound
from continuum.journal.port import Journal, VersionRow
from continuum.quoting import listed, quoted
from continuum.replays.histories import History, read_history
from continuum.replays.history_files import load_history
from continuum.replays.replay import Replayed
from continuum.scanner.configuration import debugging
from continuum.versions.loaded_code import load_code

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line names: the run or the file, and the modules of its code."""

    run: str | None
    path: str | None
    modules: tuple[str, ...]
    namespace: InNamespace
    target: Target


def history_options(command: F) -> F:
    """Give a command that replays a run --file and --module."""
    command = click.option(
        "--module",
        "modules",
        multiple=True,
        metavar="MODULE",
        help="Where the code is; otherwise the module that a node loaded it from. Repeatable.",
    )(command)
    return click.option(
        "--file",
        "path",
        type=click.Path(dir_okay=False),
        is_eager=True,
        help="Take the history from this file. RUN is needed only if it has several.",
    )(command)


def load(asked: Asked, *, for_debugging: bool = False) -> tuple[History, Workflow[..., Any]]:
    """Return the history and the code for it; what a node refuses in a run's code is refused from now on.

    With `for_debugging` code may have `breakpoint()` and `print()` in it.
    """
    history, modules = _from_file(asked) if asked.path is not None else _from_database(asked)
    permitting: AbstractContextManager[None] = debugging() if for_debugging else nullcontext()
    start = history.beginning
    with permitting:
        workflow = workflow_in(modules, start.workflow, start.version)
    if start.version not in (None, workflow.version_hash):
        click.echo(
            f"the run began with version {start.version} of its code, and this is {workflow.version_hash}",
            err=True,
        )
    return history, workflow


def workflow_in(modules: Sequence[str], name: str, version: str | None) -> Workflow[..., Any]:
    """Return a workflow of these modules; what a node refuses in a run's code is refused from now on."""
    guard.install()
    code = load_code(modules)
    if name not in code.workflows:
        raise InvalidOption(
            f"no workflow named {quoted(name)} is defined in {listed(modules)}; name its module with --module"
        )
    return code.workflow_for(name, version)


def ending_of(replayed: Replayed) -> str:
    """Return what the code does at the end of a replay."""
    match replayed.state:
        case "suspended":
            return f"waits for {', or for '.join(replayed.waits_for) or 'nothing that happens by itself'}"
        case "completed":
            return f"returns {quoted(replayed.result)}"
        case "failed":
            return f"fails: {type(replayed.error).__name__}: {replayed.error}"
        case "continued":
            return f"continues as run {replayed.continued_to}"
        case "going_on":
            return f"continues with {replayed.next_command}"
        case state:
            return f"is {state}"


def _from_file(asked: Asked) -> tuple[History, Sequence[str]]:
    assert asked.path is not None
    if not asked.modules:
        raise click.UsageError("a file does not say where the code is; add --module")
    try:
        history = load_history(asked.path, asked.run)
    except OSError as error:
        raise InvalidOption(
            f"{asked.path} cannot be read ({error.strerror}); give a file that `continuum runs export` wrote"
        ) from error
    start = history.beginning
    if asked.namespace not in (ANY_NAMESPACE, start.namespace):
        raise RunNotFound(start.run_id, namespace=str(asked.namespace))
    return history, asked.modules


def _from_database(asked: Asked) -> tuple[History, Sequence[str]]:
    if asked.run is None:
        raise click.UsageError("name a RUN, or a file with --file")
    run_id = run_id_of(asked.run)

    async def reading(journal: Journal) -> tuple[History, Sequence[VersionRow]]:
        guarded(run_id, await journal.get_run(run_id), asked.namespace)
        history = await read_history(journal, run_id)
        if history is None:
            raise RunNotFound(run_id)
        return history, () if asked.modules else await journal.versions()

    history, versions = ask_journal(asked.target, reading, read_only=True)
    return history, asked.modules or [_module_of(history, versions)]


def _module_of(history: History, versions: Sequence[VersionRow]) -> str:
    """Return the module that a node loaded the version of a run from, else the latest of its workflow."""
    start = history.beginning
    known = [row for row in versions if row.workflow == start.workflow and row.module not in ("", "__main__")]
    if not known:
        raise InvalidOption(
            f"no node has loaded {quoted(start.workflow)} from a module that can be imported; "
            "name its module with --module"
        )
    return max(known, key=lambda row: (row.version == start.version, row.registered_at)).module
