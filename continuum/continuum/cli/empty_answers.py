"""What a list says that has no entry: what was looked for, where, and what to try."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from click.core import ParameterSource

from continuum.cli.database import Target
from continuum.cli.printing import escaped
from continuum.operations.json_text import to_json
from continuum.quoting import shortened

# Options that choose no entries.
_CHOOSES_NOTHING = frozenset({"as_json", "dsn", "every", "limit", "schema"})
_TYPED = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.PROMPT)


def say_nothing(target: Target, what: str, otherwise: str) -> None:
    """Say on stderr that there is no such entry; `otherwise` is what to try if no option chose any."""
    options = " ".join(_chosen(click.get_current_context()))
    if options:
        text = f"no {what} for {options} in {target}; leave an option out to find more"
    else:
        text = f"no {what} in {target}; {otherwise}"
    click.echo(escaped(text), err=True)


def _chosen(context: click.Context) -> Iterator[str]:
    """Yield the options that were typed to choose entries, as they may be typed again."""
    for part in context.command.params:
        assert part.name is not None
        if (
            isinstance(part, click.Option)
            and part.name not in _CHOOSES_NOTHING
            and context.get_parameter_source(part.name) in _TYPED
        ):
            given = context.params[part.name]
            for value in given if part.multiple else [given]:
                yield part.opts[0] if part.is_flag else f"{part.opts[0]} {shortened(_written(value))}"


def _written(value: Any) -> str:
    match value:
        case (str(name), rest):
            return f"{name}={to_json(rest)}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case _:
            return str(value)
