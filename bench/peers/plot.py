"""The comparison as a picture: one panel for each figure, one bar for each system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from bench.peers.figures import FIGURES, Figure

Results = dict[str, Any]
PANELS_IN_A_ROW = 3
PANEL_WIDTH, LABEL_WIDTH, VALUE_WIDTH = 430, 150, 70
BAR_HEIGHT, BAR_GAP, HEAD_HEIGHT, MARGIN = 16, 5, 46, 24
FONT = 'font-family="Helvetica, Arial, sans-serif" font-size="12"'
INK, FAINT, BACKGROUND = "#1f2933", "#7b8794", "#ffffff"
FLOOR, PEER, OURS = "#c3cad2", "#6f9bd1", "#e07b39"


def svg(figures: Results) -> str:
    """Return the picture; a system without a figure has the reason in place of its bar."""
    columns: Results = figures["columns"]
    panel_height = HEAD_HEIGHT + len(columns) * (BAR_HEIGHT + BAR_GAP)
    rows = -(-len(FIGURES) // PANELS_IN_A_ROW)
    width = PANELS_IN_A_ROW * (PANEL_WIDTH + MARGIN) + MARGIN
    height = rows * (panel_height + MARGIN) + MARGIN
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {FONT}>',
        f'<rect {size} fill="{BACKGROUND}"/>',
    ]
    for number, figure in enumerate(FIGURES):
        row, column = divmod(number, PANELS_IN_A_ROW)
        x = MARGIN + column * (PANEL_WIDTH + MARGIN)
        y = MARGIN + row * (panel_height + MARGIN)
        lines.append(f'<g transform="translate({x} {y})">')
        lines += _panel(figure, columns)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _panel(figure: Figure, columns: Results) -> Iterator[str]:
    better = "more is better" if figure.more_is_better else "less is better"
    yield f'<text y="14" fill="{INK}" font-weight="bold">{escape(figure.title)}</text>'
    yield f'<text y="31" fill="{FAINT}">{escape(figure.unit)}, {better}</text>'
    values = {name: column["figures"][figure.name].get("median") for name, column in columns.items()}
    longest = max((value for value in values.values() if value is not None), default=0.0)
    room = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    for number, (name, column) in enumerate(columns.items()):
        y = HEAD_HEIGHT + number * (BAR_HEIGHT + BAR_GAP)
        middle = y + BAR_HEIGHT - 4
        title = escape(column["title"])
        yield f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end" fill="{INK}">{title}</text>'
        value = values[name]
        if value is None:
            why = escape(_shortened(column["figures"][figure.name]["why"]))
            yield (
                f'<text x="{LABEL_WIDTH}" y="{middle}" fill="{FAINT}" font-style="italic"'
                f' font-size="11">{why}</text>'
            )
            continue
        bar = max(1.0, room * value / longest) if longest else 1.0
        yield (
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{bar:.1f}" height="{BAR_HEIGHT}"'
            f' fill="{_colour(name, column)}"/>'
        )
        yield (
            f'<text x="{LABEL_WIDTH + bar + 6:.1f}" y="{middle}" fill="{INK}">'
            f"{escape(figure.show(value))}</text>"
        )


def _colour(name: str, column: Results) -> str:
    if column["ours"]:
        return OURS
    return FLOOR if name.startswith("floor") else PEER


def _shortened(why: str, most: int = 48) -> str:
    return why if len(why) <= most else f"{why[: most - 1]}…"
