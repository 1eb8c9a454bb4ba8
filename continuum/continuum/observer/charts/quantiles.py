"""`quantiles`: how long something took over time: half of all, and 99 of 100, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from continuum.observer import texts
from continuum.observer.charts.drawing import Drawing
from continuum.operations.rates import DURATION_STEP, Durations

WIDTH, HEIGHT = 320.0, 96.0
LEFT, RIGHT, TOP, FLOOR = 48.0, 316.0, 6.0, 76.0
# Where lines with a time beside them may be, in seconds.
MARKS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 36_000.0, 86_400.0, 864_000.0)
SHORTEST = 0.0005
MICROSECONDS = 1_000_000
DOT = 2.5


def quantiles(steps: Sequence[Durations], since: int, title: str) -> Markup:
    """Return a chart of p50, dots on a line, and p99, squares on a dashed line, in steps from `since` on."""
    drawing = Drawing(WIDTH, HEIGHT, title=title, description=told(steps), kind="quantiles")
    values = [value for step in steps for value in (step.p50, step.p99) if value is not None]
    if values:
        low, high = _scale(values)
        for mark in MARKS:
            if low <= mark <= high:
                y = _height(mark, low, high)
                drawing.add("line", "axis", x1=LEFT, y1=y, x2=RIGHT, y2=y)
                drawing.add("text", "", _short(mark), x=LEFT - 6, y=y + 4, text_anchor="end")
        _line(drawing, "p50", [step.p50 for step in steps], low, high)
        _line(drawing, "p99", [step.p99 for step in steps], low, high)
    else:
        drawing.add("line", "axis", x1=LEFT, y1=FLOOR, x2=RIGHT, y2=FLOOR)
        drawing.add("text", "", "none", x=LEFT, y=FLOOR - 6)
    drawing.add("text", "", texts.clock(since), x=LEFT, y=HEIGHT - 4)
    drawing.add("text", "", "now", x=RIGHT, y=HEIGHT - 4, text_anchor="end")
    return drawing.svg()


def told(steps: Sequence[Durations]) -> str:
    """Return what the chart shows in words."""
    known = [step for step in steps if step.p50 is not None and step.p99 is not None]
    if not known:
        return "Nothing ended in this time."
    last = known[-1]
    longest = max(step.p99 or 0.0 for step in known)
    return (
        f"Of late half took {texts.duration(last.p50)} at most, and 99 of 100 {texts.duration(last.p99)}; "
        f"the highest p99 was {texts.duration(longest)}."
    )


def _line(drawing: Drawing, kind: str, values: Sequence[float | None], low: float, high: float) -> None:
    places = [
        None if value is None else (_place(number, len(values)), _height(value, low, high))
        for number, value in enumerate(values)
    ]
    for one, other in pairwise(places):
        if one is not None and other is not None:
            drawing.add("line", kind, x1=one[0], y1=one[1], x2=other[0], y2=other[1])
    for number, (place, value) in enumerate(zip(places, values, strict=True)):
        if place is None:
            continue
        if kind == "p50":
            drawing.add("circle", kind, cx=place[0], cy=place[1], r=DOT)
        else:
            drawing.add("rect", kind, x=place[0] - DOT, y=place[1] - DOT, width=2 * DOT, height=2 * DOT)
        minutes = (len(values) - number) * DURATION_STEP // 60
        drawing.tip(f"{kind} {texts.duration(value)}, {minutes} to {minutes - DURATION_STEP // 60} min ago")


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """Return the times at the bottom and at the top: marks around all values."""
    low, high = max(min(values), SHORTEST), max(max(values), SHORTEST)
    below = [mark for mark in MARKS if mark <= low] or [SHORTEST]
    above = [mark for mark in MARKS if mark >= high and mark > below[-1]] or [max(high, MARKS[-1] * 10)]
    return below[-1], above[0]


def _place(number: int, steps: int) -> float:
    return LEFT + (RIGHT - LEFT) * (number + 0.5) / steps


def _height(value: float, low: float, high: float) -> float:
    share = math.log(max(value, low) / low) / math.log(high / low)
    return FLOOR - (FLOOR - TOP) * min(share, 1.0)


def _short(seconds: float) -> str:
    return texts.duration(seconds).replace(".0 s", " s")
