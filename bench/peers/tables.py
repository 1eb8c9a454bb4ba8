"""The comparison as rows of text: figures, ratios, what is missing and why, settings."""

from __future__ import annotations

from typing import Any

from bench.peers.figures import FIGURES

Results = dict[str, Any]
Row = tuple[str, ...]
Rows = list[Row]


def figures(results: Results) -> tuple[Row, Rows]:
    """Return a row for each figure and a column for each system."""
    columns = results["columns"]
    rows: Rows = []
    for figure in FIGURES:
        found = [column["figures"][figure.name].get("median") for column in columns.values()]
        cells = ("" if value is None else figure.show(value) for value in found)
        rows.append((f"{figure.title}, {figure.unit}", *cells))
    return ("medians", *(column["title"] for column in columns.values())), rows


def ratios(results: Results) -> tuple[Row, Rows]:
    """Return for each figure and system ours ÷ theirs: each of our columns, in their order."""
    columns, ours = results["columns"], results["ratios"]
    others = [name for name, column in columns.items() if any(name in each for each in ours.values())]
    rows: Rows = []
    for figure in FIGURES if others else ():
        cells = []
        for other in others:
            found = [each.get(other, {}).get(figure.name) for each in ours.values()]
            known = any(value is not None for value in found)
            cells.append(" / ".join(map(_ratio, found)) if known else "")
        rows.append((figure.title, *cells))
    named = " / ".join(columns[name]["title"].removeprefix("ours, ") for name in ours)
    return (f"ours ({named}) ÷", *(columns[name]["title"] for name in others)), rows


def _ratio(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:.0f}" if value >= 20 else f"{value:.3g}" if value < 0.1 else f"{value:.2f}"


def missing(results: Results) -> tuple[Row, Rows]:
    """Return why a system lacks figures; the floors, which lack what is no floor, are left out."""
    rows: Rows = []
    for name, column in results["columns"].items():
        reasons: dict[str, list[str]] = {}
        for figure in FIGURES:
            why = column["figures"][figure.name].get("why")
            if why and not name.startswith("floor"):
                reasons.setdefault(why, []).append(figure.title)
        rows += [
            (column["title"], "all" if len(titles) == len(FIGURES) else "; ".join(titles), why)
            for why, titles in reasons.items()
        ]
    return ("without a figure", "which", "why"), rows


def settings(results: Results) -> tuple[Row, Rows]:
    """Return the settings of each system, and what makes commits durable."""
    rows = [
        (column["title"], _listed(column["settings"]), column["durability"])
        for column in results["columns"].values()
    ]
    postgres = ", ".join(f"{name} {value}" for name, value in results["durability"].items())
    return ("settings", "", "durable by"), [*rows, ("Postgres", postgres, "")]


def _listed(values: Results) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
