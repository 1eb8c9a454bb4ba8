"""Where the encoded values in the bodies of events are."""

from __future__ import annotations

from continuum.engine.events import VALUE_PLACES
from tests.golden.replaying import RUNS, history_of


def test_no_value_of_any_history_is_anywhere_but_in_the_place_of_its_type() -> None:
    for path in sorted(RUNS.glob("*.json")):
        for event in history_of(path.stem).stored:
            found = [place for place, part in enumerate(event.body) if type(part) is bytes]
            assert found in ([], [VALUE_PLACES.get(event.type)]), event
