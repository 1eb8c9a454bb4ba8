"""Charts say in words what they show, escape what they are given, and stay inside of their frames."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

from hypothesis import given
from hypothesis import strategies as st

from continuum.observer.charts.bars import bars
from continuum.observer.charts.drawing import Drawing
from continuum.observer.charts.quantiles import quantiles
from continuum.operations.rates import Durations

SINCE = 1_796_000_400_000_000  # 2026-11-30 02:20 UTC
NOTHING = Durations(0, None, None)
SECONDS = st.floats(0.0, 1e6)


def durations_of(times: tuple[float, float]) -> Durations:
    """Return durations with these quantiles."""
    return Durations(3, min(times), max(times))


def places(image: Element) -> list[float]:
    """Return all lengths of the elements of an image."""
    names = ("x", "y", "width", "height", "x1", "y1", "x2", "y2", "cx", "cy")
    return [float(each.get(name, "0")) for each in image.iter() for name in names]


def test_bars_tell_what_they_show() -> None:
    image = fromstring(bars([0, 4, 0, 2], SINCE, "Failed runs a minute", "failed"))
    said = "6 since 01:00 UTC, at most 4 a minute, at 01:01."
    assert image.get("role") == "img"
    assert image.get("aria-label") == f"Failed runs a minute. {said}"
    assert image.findtext("desc") == said
    assert [each.findtext("title") for each in image.findall("rect")] == ["4 at 01:01", "2 at 01:03, so far"]


def test_bars_of_nothing_say_so() -> None:
    image = fromstring(bars([0, 0], SINCE, "Failed", "failed"))
    assert image.findtext("desc") == "None since 01:00 UTC."
    assert image.findall("rect") == []


def test_quantiles_tell_the_latest_and_the_highest() -> None:
    image = fromstring(
        quantiles([Durations(9, 0.2, 30.0), Durations(2, 0.1, 2.0), NOTHING], SINCE, "Duration")
    )
    assert image.findtext("desc") == (
        "Of late half took 100 ms at most, and 99 of 100 2.0 s; the highest p99 was 30.0 s."
    )


def test_given_texts_are_escaped() -> None:
    drawing = Drawing(1, 1, title="<script>", description='"><b>', kind="bars")
    drawing.add("text", "", "<i>&</i>")
    text = drawing.svg()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "<i>" not in text


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_bars_stay_inside(values: list[int]) -> None:
    assert all(0 <= place <= 320 for place in places(fromstring(bars(values, SINCE, "Started", "started"))))


@given(st.lists(st.one_of(st.just(NOTHING), st.tuples(SECONDS, SECONDS).map(durations_of)), max_size=12))
def test_quantiles_stay_inside(steps: list[Durations]) -> None:
    assert all(0 <= place <= 320 for place in places(fromstring(quantiles(steps, SINCE, "Duration"))))
