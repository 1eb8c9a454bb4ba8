"""The options of a workflow are checked when it is defined."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from continuum import InvalidDefinition, Signal, workflow

verdict = Signal("verdict", str)


@workflow(
    name="options.flow",
    label=4,
    signals=[verdict],
    retention=timedelta(days=2),
    snapshot_threshold=500,
    on_change="wait",
)
async def flow() -> None:
    """Do nothing."""


@workflow
async def plain() -> None:
    """Do nothing."""


def test_a_workflow_keeps_its_options() -> None:
    """CMP2"""
    assert (flow.name, flow.label, flow.on_change) == ("options.flow", "4", "wait")
    assert (flow.retention, flow.snapshot_threshold, flow.signals) == (172_800.0, 500, {"verdict": verdict})


def test_by_default_runs_are_kept_for_ever_and_accept_any_signal() -> None:
    assert (plain.retention, plain.snapshot_threshold, plain.signals, plain.on_change) == (
        None,
        None,
        {},
        "replay",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"label": 0}, "label"),
        ({"label": True}, "label"),
        ({"label": "2"}, "label"),
        ({"signals": ["verdict"]}, "signals"),
        ({"signals": "verdict"}, "signals"),
        ({"retention": 5}, "retention"),
        ({"retention": timedelta(seconds=-1)}, "retention"),
        ({"snapshot_threshold": 0}, "snapshot_threshold"),
        ({"snapshot_threshold": 1.5}, "snapshot_threshold"),
        ({"snapshot_threshold": True}, "snapshot_threshold"),
        ({"on_change": "sometimes"}, "on_change"),
    ],
)
def test_an_invalid_option_is_refused(options: dict[str, Any], words: str) -> None:
    """CMP4"""
    with pytest.raises(InvalidDefinition, match=words):
        workflow(**options)


@pytest.mark.parametrize("old", [2, None])
def test_the_old_spelling_of_the_label_is_refused_with_the_new_one(old: object) -> None:
    with pytest.raises(InvalidDefinition, match=f"no version=; write label={old}"):
        workflow(version=old)  # type: ignore[call-overload]
