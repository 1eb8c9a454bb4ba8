"""What a node reports of its silent processes may be anything once it is stored; it is passed over then."""

from __future__ import annotations

import math

import pytest

from continuum.journal.silence import Silence, silences_as_json, silences_from_json


def test_reports_of_nodes_are_read() -> None:
    silent = {7: Silence(2.5, None), 8: Silence(600.0, 15.0)}
    assert silences_from_json({"silent": silences_as_json(silent)}) == silent


@pytest.mark.parametrize(
    "row",
    [
        7,
        [7, 1],
        [7, 2.5, "x", None, None],
        [7, -1, None, None, None],
        [7, 1e300, None, None, None],
        [7, math.nan, None, None, None],
        [7, 2.5, math.inf, None, None],
        [math.inf, 2.5, None, None, None],
    ],
)
def test_reports_that_no_node_makes_are_passed_over(row: object) -> None:
    assert silences_from_json({"silent": [row]}) == {}
