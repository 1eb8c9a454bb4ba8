"""Findings: fingerprints, counts, severities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from continuum.operations.findings import Finding, Severity, amount, serious
from continuum.operations.sql_text import identifier, literal

FOUND = Finding("blocked", Severity.ERROR, "orders", "it is; mend it", since=1, count=2, evidence=("drift",))


@pytest.mark.parametrize(
    "changed",
    [
        {"count": 3},
        {"since": 9},
        {"more": True},
        {"sentence": "other; words"},
        {"fixes": ("a",)},
        {"severity": Severity.NOTE},
    ],
    ids=str,
)
def test_a_fingerprint_stays_while_what_matters_does(changed: dict[str, object]) -> None:
    assert replace(FOUND, **changed).fingerprint == FOUND.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [{"code": "other"}, {"subject": "payments"}, {"evidence": ("poison",)}, {"evidence": ()}],
    ids=str,
)
def test_a_fingerprint_changes_with_what_matters(changed: dict[str, object]) -> None:
    assert replace(FOUND, **changed).fingerprint != FOUND.fingerprint  # type: ignore[arg-type]


def test_a_review_covers_the_parts_that_it_has_seen_and_fewer() -> None:
    both, one, another = (replace(FOUND, parts=parts) for parts in (("a", "b"), ("b",), ("b", "c")))
    assert both.fingerprint == one.fingerprint == FOUND.fingerprint
    reviewed = dict.fromkeys([both.fingerprint, *both.fingerprints_of_parts], 1)
    assert [each.is_covered(reviewed) for each in (both, one, another)] == [True, True, False]
    alike = replace(both, subject="payments")
    assert not set(alike.fingerprints_of_parts) & set(both.fingerprints_of_parts), "as findings do"


def test_counts_are_said_in_words() -> None:
    assert [amount(1, "run"), amount(2, "run"), amount(10_000, "run", more=True)] == [
        "1 run",
        "2 runs",
        "more than 10,000 runs",
    ]


def test_notes_alone_are_not_serious() -> None:
    note = replace(FOUND, severity=Severity.NOTE)
    assert (serious([]), serious([note]), serious([note, FOUND])) == (False, False, True)


def test_names_and_texts_in_sql_end_where_they_end() -> None:
    assert identifier('a"; drop') == '"a""; drop"'
    assert literal("it's") == "'it''s'"
