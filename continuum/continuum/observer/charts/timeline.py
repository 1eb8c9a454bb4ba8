"""`lane`, `axis` and `outline`: when things happened, as bars that are as wide as the page.

Geometry is in percent of the width, so that the bars stretch and the texts do not. Beside each lane the page
says in words what it shows, so readers of the screen skip the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from continuum.journal.history_port import HistoryBin
from continuum.observer import texts
from continuum.observer.timelines import BACKOFF, SIGNAL, Bar

# What happened is to be seen, however short it was.
NARROWEST = 0.3
TOP, HEIGHT = 4.0, 12.0
OUTLINE = 48.0
SECOND = 1_000_000
# What a person counts time in.
STEPS = tuple(
    seconds * SECOND
    for seconds in (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 43_200, 86_400)
)
MOST_TICKS = 4
# Where more attempts have failed, only the last of them has a sign.
MOST_SIGNS = 6


def lane(bars: Sequence[Bar], since: int, until: int) -> Markup:
    """Return bars between two times, in microseconds; an open one ends at the later."""
    root = Element("svg", {"class": "lane", "aria-hidden": "true"})
    for bar in bars:
        begin = _share(bar.since, since, until)
        width = max(_share(bar.until if bar.until is not None else until, since, until) - begin, NARROWEST)
        kinds = [bar.kind] + ["failed"] * bar.failed + ["open"] * (bar.until is None)
        begin = min(begin, 100 - width)
        if bar.kind == SIGNAL and bar.until is not None:
            _add(root, "circle", " ".join(kinds), cx=f"{begin:.2f}%", cy="10", r="5")
        else:
            size = {"y": "8", "height": "4"} if bar.kind == BACKOFF else {"y": "4", "height": "12"}
            _add(root, "rect", " ".join(kinds), x=f"{begin:.2f}%", width=f"{width:.2f}%", rx="2", **size)
        SubElement(root[-1], "title").text = told(bar)
        if bar.failed and (bar is bars[-1] or len(bars) <= MOST_SIGNS):
            _add(root, "text", "", "✕", x=f"{min(begin + width + 0.3, 99):.2f}%", y="14")
    return Markup(tostring(root, encoding="unicode"))  # made of escaped texts


def axis(since: int, until: int) -> Markup:
    """Return marks at round times since the beginning."""
    root = Element("svg", {"class": "lane", "aria-hidden": "true"})
    for tick in ticks(until - since):
        share = _share(since + tick, since, until)
        _add(root, "line", "axis", x1=f"{share:.2f}%", x2=f"{share:.2f}%", y1="14", y2="20")
        anchor = "end" if share > 94 else "start"
        _add(
            root,
            "text",
            "",
            f"+{texts.duration(tick / SECOND)}" if tick else "0",
            x=f"{share:.2f}%",
            y="12",
            **{"text-anchor": anchor},
        )
    return Markup(tostring(root, encoding="unicode"))  # made of escaped texts


def ticks(length: int) -> list[int]:
    """Return a few round times from 0 to a length, in microseconds."""
    days = 86_400 * SECOND
    step = next((step for step in STEPS if length / step <= MOST_TICKS), None)
    if step is None:
        step = -(-length // (MOST_TICKS * days)) * days
    return [round(place * step) for place in range(int(length // step) + 1)]


def outline(bins: Sequence[HistoryBin], since: int, until: int) -> Markup:
    """Return how many events there were over time."""
    root = Element("svg", {"class": "lane outline", "aria-hidden": "true"})
    most = max((each.events for each in bins), default=1)
    for each in bins:
        begin = _share(each.since, since, until)
        width = max(_share(each.until, since, until) - begin, 0.6)
        height = max(OUTLINE * each.events / most, 2)
        _add(
            root,
            "rect",
            "part",
            x=f"{min(begin, 100 - width):.2f}%",
            y=f"{OUTLINE - height:.1f}",
            width=f"{width:.2f}%",
            height=f"{height:.1f}",
        )
        SubElement(
            root[-1], "title"
        ).text = f"{texts.number(each.events)} events from {texts.moment(each.since)}"
    return Markup(tostring(root, encoding="unicode"))  # made of escaped texts


def told(bar: Bar) -> str:
    """Return what a bar shows in words."""
    lasted = "not ended" if bar.until is None else texts.duration((bar.until - bar.since) / SECOND)
    attempt = f", attempt {bar.attempt}" if bar.attempt > 1 else ""
    return f"{bar.name}: {bar.kind}{attempt}, {lasted}{', failed' if bar.failed else ''}"


def _share(at: int, since: int, until: int) -> float:
    """Return a place between two times in percent."""
    return 100 * min(max((at - since) / max(until - since, 1), 0.0), 1.0)


def _add(root: Element, name: str, kind: str, text: str | None = None, **attributes: str) -> None:
    SubElement(root, name, {"class": kind, **attributes} if kind else attributes).text = text
