"""Tables for people on a terminal, tab-separated lines for pipes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

_IN_ONE_PIECE = frozenset({"id", "run"})


def escaped(text: str) -> str:
    """Return a text as one line of a terminal: what is not printable as Python writes it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under the names of their columns."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    # Import late: most commands print no table, and a pipe needs none of it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # An id is copied: it must stay in one piece while another column can be narrower.
        table.add_column(column, overflow="fold", no_wrap=column in _IN_ONE_PIECE)
    for row in rows:
        # Text, because rich would read brackets in a value as markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
