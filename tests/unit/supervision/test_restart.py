"""When a child is restarted, and how often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision import Intensity, Restart, wants_restart


@pytest.mark.parametrize(
    ("restart", "abnormal", "wanted"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_the_restart_type_and_the_kind_of_end_decide_about_a_restart(
    restart: Restart, abnormal: bool, wanted: bool
) -> None:
    assert wants_restart(restart, abnormal=abnormal) is wanted


@given(
    gaps=st.lists(st.integers(0, 20), max_size=40),
    max_restarts=st.integers(0, 5),
    max_seconds=st.integers(1, 30),
)
def test_intensity_is_exceeded_exactly_when_the_window_holds_too_many(
    gaps: list[int], max_restarts: int, max_seconds: int
) -> None:
    intensity = Intensity(max_restarts, max_seconds)
    times: list[int] = []
    for gap in gaps:
        times.append((times[-1] if times else 0) + gap)
        intensity = intensity.record(times[-1])
        in_window = sum(1 for at in times if times[-1] - at <= max_seconds)
        assert intensity.exceeded == (in_window > max_restarts)
        if intensity.exceeded:
            break


def test_an_intensity_remembers_no_more_than_it_needs() -> None:
    intensity = Intensity(3, 5.0)
    for second in range(100):
        intensity = intensity.record(second * 2.0)
    assert len(intensity.restarts) <= 3


def test_recording_a_restart_leaves_the_old_intensity_unchanged() -> None:
    intensity = Intensity(0, 5.0)
    assert intensity.record(1.0).exceeded
    assert not intensity.exceeded


@pytest.mark.parametrize(("restarts", "seconds"), [(-1, 5.0), (1, 0.0), (1, float("nan"))])
def test_an_invalid_intensity_is_refused(restarts: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="give"):
        Intensity(restarts, seconds)
