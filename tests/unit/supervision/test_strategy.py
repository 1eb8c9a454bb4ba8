"""Which siblings are restarted together with a failed child."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision import Strategy, affected


@pytest.mark.parametrize(
    ("strategy", "together"),
    [
        (Strategy.ONE_FOR_ONE, ("b",)),
        (Strategy.ONE_FOR_ALL, ("a", "b", "c")),
        (Strategy.REST_FOR_ONE, ("b", "c")),
    ],
)
def test_the_strategy_names_the_children_restarted_with_a_failed_one(
    strategy: Strategy, together: tuple[str, ...]
) -> None:
    assert affected(strategy, ("a", "b", "c"), "b") == together


@given(
    order=st.lists(st.text(min_size=1), min_size=1, unique=True),
    strategy=st.sampled_from(Strategy),
    data=st.data(),
)
def test_the_failed_child_is_restarted_too_and_start_order_is_kept(
    order: list[str], strategy: Strategy, data: st.DataObject
) -> None:
    failed = data.draw(st.sampled_from(order))
    group = affected(strategy, order, failed)
    assert failed in group
    assert list(group) == [child_id for child_id in order if child_id in group]
