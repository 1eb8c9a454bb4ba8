"""Tables for people on a terminal, tab-separated lines for pipes; and texts without control characters.

What a run stores may hold any character. One that is not printable is shown as Python writes it: a terminal
would obey it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence

import click

_IN_ONE_PIECE = frozenset({"id", "run"})


def escaped(text: str) -> str:
    """Return a text as one line of a terminal: what is not printable as Python writes it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def say(text: str, *, err: bool = False) -> None:
    """Print lines of text, each as `escaped` returns it."""
    click.echo(in_lines(text), err=err)


def in_lines(text: str) -> str:
    """Return a text with its lines, each as `escaped` returns it."""
    return "\n".join(map(escaped, text.split("\n")))


def shown_command(command: str) -> str:
    """Return a command for a shell so that it means the same after it was printed and copied."""
    if command.isprintable():
        return command
    return " ".join(map(_shown_word, shlex.split(command)))


def _shown_word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    # POSIX quoting by the byte, which every shell of today reads alike.
    return "$'" + "".join(map(_shown_character, word)) + "'"


def _shown_character(each: str) -> str:
    if each in "\\'":
        return f"\\{each}"
    return each if each.isprintable() else "".join(f"\\{byte:03o}" for byte in each.encode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under the names of their columns."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(escaped(" ".join(cell.split())) for cell in row))
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
        table.add_row(*(Text(in_lines(cell)) for cell in row))
    Console().print(table)
