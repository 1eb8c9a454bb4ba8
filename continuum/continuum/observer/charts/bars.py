"""`bars`: how many of something there were in each minute, as small bars."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from continuum.observer import texts
from continuum.observer.charts.drawing import Drawing

WIDTH, HEIGHT = 320.0, 96.0
TOP, FLOOR = 18.0, 78.0
GAP = 1.0
MINUTE = 60_000_000
# A bar that is there is to be seen.
LOWEST = 2.0


def bars(values: Sequence[int], since: int, title: str, kind: str) -> Markup:
    """Return a chart of numbers by minute from `since` on, in microseconds; the last minute is not over."""
    most = max(values, default=0)
    drawing = Drawing(WIDTH, HEIGHT, title=title, description=told(values, since), kind="bars")
    width = WIDTH / max(len(values), 1)
    for place, value in enumerate(values):
        if not value:
            continue
        height = max((FLOOR - TOP) * value / most, LOWEST)
        present = " present" if place == len(values) - 1 else ""
        drawing.add(
            "rect",
            f"bar {kind}{present}",
            x=place * width + GAP / 2,
            y=FLOOR - height,
            width=width - GAP,
            height=height,
        )
        drawing.tip(
            f"{texts.number(value)} at {texts.clock(since + place * MINUTE)}{', so far' if present else ''}"
        )
    drawing.add("line", "axis", x1=0, y1=FLOOR, x2=WIDTH, y2=FLOOR)
    drawing.add("text", "", f"most {texts.number(most)}" if most else "none", x=0, y=TOP - 5)
    drawing.add("text", "", texts.clock(since), x=0, y=HEIGHT - 3)
    drawing.add("text", "", "now", x=WIDTH, y=HEIGHT - 3, text_anchor="end")
    return drawing.svg()


def told(values: Sequence[int], since: int) -> str:
    """Return what the chart shows in words."""
    if not any(values):
        return f"None since {texts.clock(since)} UTC."
    peak = max(range(len(values)), key=values.__getitem__)
    return (
        f"{texts.number(sum(values))} since {texts.clock(since)} UTC, at most {texts.number(values[peak])} "
        f"a minute, at {texts.clock(since + peak * MINUTE)}."
    )
