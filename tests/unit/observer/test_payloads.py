"""What visitors see of payloads: all of it, a part, or nothing but the kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from continuum.client import RunError
from continuum.journal.untyped_values import Unreadable
from continuum.observer.limits import PAYLOAD_CHARACTERS
from continuum.observer.payloads import HIDDEN, Payloads
from continuum.operations.explanation import Cause, Explanation, Fix
from continuum.quoting import one_line

ORDER = [{"id": "o1", "card": "4242", "payments": [{"card": {"number": "5353"}, "sum": 7}]}]


def visible(value: Any, *redact: str, under: str = "input") -> Any:
    text = Payloads(sees=True, redact=redact).shown(value, under).text
    assert text is not None
    return json.loads(text)


def test_an_operator_sees_a_value_as_json() -> None:
    assert visible(ORDER) == ORDER


def test_a_viewer_sees_only_the_kind_and_the_size() -> None:
    shown = Payloads(sees=False).shown(ORDER, "input")
    assert shown.text is None
    assert (shown.kind, shown.size) == ("list of 1", len(json.dumps(ORDER)))


@pytest.mark.parametrize("pattern", ["*.card", "card"])
def test_a_name_is_hidden_at_any_depth(pattern: str) -> None:
    (order,) = visible(ORDER, pattern)
    assert order["card"] == HIDDEN
    assert order["payments"][0] == {"card": HIDDEN, "sum": 7}


def test_a_whole_path_hides_that_place_alone() -> None:
    (order,) = visible(ORDER, "input.0.card")
    assert (order["card"], order["payments"]) == (HIDDEN, ORDER[0]["payments"])


def test_a_star_is_any_one_part() -> None:
    (order,) = visible(ORDER, "payments.*.card")
    assert (order["card"], order["payments"][0]["card"]) == ("4242", HIDDEN)


def test_a_whole_kind_of_value_can_be_hidden() -> None:
    assert visible("secret", "result", under="result") == HIDDEN


def test_a_name_with_a_dot_is_found_by_its_parts() -> None:
    assert visible({"a.card": 1, "b": 2}, "*.card") == {"a.card": HIDDEN, "b": 2}


def test_a_long_value_is_cut() -> None:
    shown = Payloads(sees=True).shown("x" * 100_000, "input")
    assert shown.text is not None
    assert (len(shown.text), shown.cut) == (PAYLOAD_CHARACTERS, 100_002 - PAYLOAD_CHARACTERS)


def test_a_value_that_cannot_be_read_says_so() -> None:
    assert "damaged" in str(Payloads(sees=True).shown(Unreadable("damaged"), "input").text)


def test_a_viewer_sees_the_type_of_an_error_and_not_what_it_says() -> None:
    shown = Payloads(sees=False).error(RunError("Declined", "card 4242", "… card 4242"))
    assert shown is not None
    assert (shown.type, shown.message.text, shown.traceback.text) == ("Declined", None, None)


def test_a_hidden_message_is_hidden_in_the_traceback() -> None:
    shown = Payloads(sees=True, redact=["error.message"]).error(RunError("E", "card 4242", "E: card 4242"))
    assert shown is not None
    assert shown.traceback.text == f"E: {HIDDEN}"


def explanation(text: str) -> Explanation:
    evidence = {"type": "E", "message": text, "error": f"E: {text}", "root": {"run": "r", "message": text}}
    cause = Cause("ended", f"it failed with E: {text}", evidence=evidence, fixes=(Fix("c", f"if {text}"),))
    return Explanation("r", "w", "failed", f"it failed with E: {text}", (cause,))


def test_a_viewer_reads_an_explanation_without_what_errors_say() -> None:
    found = Payloads(sees=False).explanation(explanation("card 4242"))
    assert "4242" not in repr(found)
    assert found.sentence == f"it failed with E: {HIDDEN}"
    assert found.causes[0].evidence["error"] == f"E: {HIDDEN}"


@pytest.mark.parametrize("name", ["message", "error"])
def test_a_long_text_is_hidden_where_a_sentence_repeats_its_beginning(name: str) -> None:
    text = ("" if name == "message" else "E: ") + "4242 " * 100
    said = f"it failed with {one_line(text)}"
    cause = Cause("ended", said, evidence={name: text})
    assert "4242" not in repr(Payloads(sees=False).explanation(Explanation("r", "w", "s", said, (cause,))))


def test_a_summary_of_a_call_is_hidden_from_a_viewer() -> None:
    said = "it retries shop.charge (charge card 4242)"
    cause = Cause("retry", said, evidence={"summary": "charge card 4242"})
    found = Payloads(sees=False).explanation(Explanation("r", "w", "s", said, (cause,)))
    assert "4242" not in repr(found)
