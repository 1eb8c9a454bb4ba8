"""`continuum check`: finds workflow code that replay could not repeat, before it is deployed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from continuum.cli.database import json_option
from continuum.errors import InvalidOption
from continuum.quoting import listed, quoted
from continuum.scanner.check_files import has_definitions, scan_definitions, workflows_in
from continuum.scanner.findings import Finding, errors_of
from continuum.scanner.module import ScannedModule, module_in_file, package_of
from continuum.scanner.other_modules import locate
from continuum.scanner.project_settings import trust_of_project


@click.command(short_help="Find workflow code that replay could not repeat.")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE ...")
@click.option("--trusted", multiple=True, metavar="MODULE", help="Let workflows call MODULE. Repeatable.")
@click.option(
    "--untrusted", type=click.Choice(["warn", "error"]), help="How to report helpers of other modules."
)
@json_option
@click.pass_context
def check(
    context: click.Context,
    modules: tuple[str, ...],
    trusted: tuple[str, ...],
    untrusted: str | None,
    as_json: bool,
) -> None:
    """Check the workflows and pure helpers of each MODULE, by dotted name or file, without running them.

    Exit code 1 means that there are errors, or that no MODULE defines anything to check. The table
    `[tool.continuum]` of the nearest pyproject.toml may also set `trusted` and `untrusted`.
    """
    if "" not in sys.path:
        # The path of a console script lacks the current directory.
        sys.path.insert(0, "")
    try:
        trust = trust_of_project(trusted, untrusted)
        scanned = [_read(name) for name in modules]
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    found = sorted({finding for module in scanned for finding in scan_definitions(module, trust)})
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            click.echo(str(finding))
        click.echo(_summary(scanned, found))
    empty = [module.filename for module in scanned if not has_definitions(module)]
    if empty:
        click.echo(
            f"no workflow or pure helper is defined in {listed(empty)}; name the modules that define them",
            err=True,
        )
    context.exit(1 if errors_of(found) or len(empty) == len(scanned) else 0)


def _read(name: str) -> ScannedModule:
    if name.endswith(".py") or "/" in name or os.sep in name:
        path, package = _file(name)
    else:
        path, package = _module(name)
    module_read = module_in_file(_shown(path), package)
    if module_read is None:
        raise InvalidOption(f"{path} is not readable as Python; run it to see why")
    return module_read


def _module(name: str) -> tuple[str, str]:
    """Return the file of a module and its package."""
    path = locate(name) if all(part.isidentifier() for part in name.split(".")) else None
    if path is None:
        raise InvalidOption(
            f"there is no module {quoted(name)}; name it as in `import shop.orders`, "
            "from the directory of `shop`, "
            "or give its file"
        )
    return path, package_of(name, path)


def _file(name: str) -> tuple[str, str]:
    """Return the path of a file, as findings print it, and the package that it is in."""
    path = Path(name)
    path = path / "__init__.py" if path.is_dir() else path
    if not path.is_file():
        raise InvalidOption(f"there is no file {quoted(name)} to check; give a file, or a module by its name")
    within = Path(os.path.relpath(path)).with_suffix("").parts
    dotted = ".".join(within[:-1] if within[-1] == "__init__" else within)
    if ".." not in within and (found := locate(dotted)) is not None and path.samefile(found):
        return _module(dotted)
    package: list[str] = []
    folder = path.absolute().parent
    while (folder / "__init__.py").is_file():
        package.insert(0, folder.name)
        folder = folder.parent
    return str(path), ".".join(package)


def _shown(path: str) -> str:
    here = os.path.relpath(path)
    return path if here.startswith("..") else here


def _summary(scanned: Sequence[ScannedModule], found: Sequence[Finding]) -> str:
    workflows = sum(len(workflows_in(module)) for module in scanned)
    errors = len(errors_of(found))
    counts = _many(errors, "error"), _many(len(found) - errors, "warning")
    return f"{', '.join(counts)} in {_many(workflows, 'workflow')}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
