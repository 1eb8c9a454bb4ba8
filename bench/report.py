"""The output of the results: the terminal, a JSON file, and the measured part of RESULTS.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from bench.sections import SECTIONS
from bench.tables import Table, figures_to_reach, tables

Results = dict[str, Any]
# Lies beside the file that shows it.
PICTURE = "peers.svg"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class NoMeasuredPart(Exception):
    """The file has no place for the results."""


def show(results: Results, console: Console) -> None:
    """Print every table, and how it was made."""
    for table in (*tables(results), figures_to_reach(results)):
        if not table.rows:
            continue
        shown = RichTable(title=table.title, title_justify="left")
        for number, heading in enumerate(table.headings):
            shown.add_column(heading, justify="right" if number else "left")
        for row in table.rows:
            shown.add_row(*(cell.replace("**", "").replace("`", "") for cell in row))
        console.print(shown)
    console.print(made_by(results), highlight=False)


def write_json(results: Results, path: Path) -> None:
    """Write all results."""
    path.write_text(json.dumps(results, indent=1) + "\n")


def write_measured_part(results: Results, path: Path) -> None:
    """Replace the text between the marks and keep the prose around it.

    A section that is measured on request alone has marks of its own, which have its name.
    """
    text = path.read_text()
    for name, part in _parts(results):
        begin, end = (mark.replace(":", f" {name}:", 1) if name else mark for mark in (BEGIN, END))
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise NoMeasuredPart(
                f"{path} has no lines {begin} and {end}; put them where the tables are to be"
            )
        text = f"{before}{begin}\n{_markdown(part)}{end}{after}"
    path.write_text(text)


def _parts(results: Results) -> Iterator[tuple[str, Results]]:
    """Return the results of ordinary sections together, and those of each other section with its name."""
    sections = results["sections"]
    apart = [name for name in sections if SECTIONS[name].on_request]
    ordinary = {name: each for name, each in sections.items() if name not in apart}
    if ordinary or not apart:
        yield "", {**results, "sections": ordinary}
    for name in apart:
        yield name, {**results, "sections": {name: sections[name]}}


def made_by(results: Results) -> str:
    """Return one line about the command, the machine, and what makes commits durable."""
    machine = results["machine"]
    durable = ", ".join(f"{name} {value}" for name, value in machine["durability"].items())
    return (
        f"Made by `{results['command']}` on {machine['cores']} cores of {machine['cpu']},"
        f" {machine['memory_gib']:g} GiB, {machine['system']}; Python {machine['python']},"
        f" Postgres {machine['postgres']} on the same machine ({durable}), psycopg {machine['psycopg']}."
        f" Load of the machine when it began: {machine['load_before']:.2f}. Rounds: {results['rounds']}."
    )


def _markdown(results: Results) -> str:
    lines = ["", made_by(results), ""]
    for table in (figures_to_reach(results), *tables(results)):
        if table.rows:
            lines += [*_markdown_table(table), ""]
    if "peers" in results["sections"]:
        lines += [f"![The medians as bars]({PICTURE})", ""]
    return "\n".join(lines)


def _markdown_table(table: Table) -> list[str]:
    return [
        f"### {table.title}",
        "",
        "| " + " | ".join(table.headings) + " |",
        "|" + "|".join("---" if not number else "---:" for number in range(len(table.headings))) + "|",
        *("| " + " | ".join(row) + " |" for row in table.rows),
    ]
