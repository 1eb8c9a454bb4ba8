"""Searches as people write them: what they mean, and what is wrong with those that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum.errors import InvalidQuery
from continuum.journal.facts import RunState
from continuum.journal.name_pattern import like, matches
from continuum.operations.search import Search, Term, search_of

RUN = "00000000-0000-4000-8000-000000000007"
DAY = 24 * 3_600 * 1_000_000


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  workflow:pay  ", [Term("workflow", "in", ["pay"])]),
        ("-workflow:pay,ship", [Term("workflow", "not in", ["pay", "ship"])]),
        ("workflow:pay*", [Term("workflow", "like", [["pay", ""]])]),
        ('workflow:"pay*"', [Term("workflow", "in", ["pay*"])]),
        ('workflow:"a \\"b\\" \\\\c, d:e"', [Term("workflow", "in", ['a "b" \\c, d:e'])]),
        ("state:Failed,open", [Term("state", "in", [RunState.FAILED, *list(RunState)[:3]])]),
        ("-state:ended", [Term("state", "in", list(RunState)[:3])]),
        ("started:>2d", [Term("started_at", "lt", None, 2 * DAY)]),
        ("ended:<=1w", [Term("completed_at", "ge", None, 7 * DAY)]),
        ("updated:>1970-01-02", [Term("updated_at", "gt", DAY)]),
        ("updated:<1970-01-02T01:00:00+01:00", [Term("updated_at", "lt", DAY)]),
        ("@region:eu", [Term(("attributes", "region"), "in", ["eu"])]),
        ('@n:5,"6",true', [Term(("attributes", "n"), "in", ["5", 5, "6", "true", True])]),
        ('@"a:b":>-1.5', [Term(("attributes", "a:b"), "gt", -1.5)]),
        ("waits:signal:a:b", [Term("waits", "in", [("signal", ["a:b"])])]),
        ("waits:timer,child:*", [Term("waits", "in", [("timer", ["", ""]), ("child", ["", ""])])]),
        (f"id:{RUN.upper()}", [Term("id", "in", [RUN])]),
        ("error:Timeout", [Term("failure", "in", ["Timeout", "continuum.Timeout"])]),
        ("continued:yes", [Term("continued_to", "ne", None)]),
        ("-continued:no", [Term("continued_to", "not eq", None)]),
    ],
)
def test_a_search_is_read(text: str, terms: list[Term]) -> None:
    assert search_of(text) == Search(text, tuple(terms))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workflw:pay", "there is no field 'workflw'; did you mean workflow?"),
        ("stat:failed", "there is no field 'stat'; did you mean state?"),
        (
            "zzz:1",
            "there is no field 'zzz'; the fields are state, workflow, version, namespace, id, ",
        ),
        ("state:faild", "there is no state 'faild'; did you mean failed?"),
        ("state:zz", "there is no state 'zz'; write one of running, suspended, blocked, completed, "),
        ("pay", "'pay' has no field; write it like workflow:pay"),
        ("-", "'-' has no field; write it like workflow:-"),
        ("workflow:", "workflow:: a value is missing; write it like state:failed,blocked"),
        ("state:failed,", "state:failed,: a value is missing; write it like state:failed,blocked"),
        ('workflow:"pay', "a quotation mark is missing at the end of 'workflow:\"pay'"),
        ('workflow:""', "workflow: must have 1 to 255 bytes, not 0"),
        ("started:2d", "started:2d: write > or < before a time: started:>2d is more than two days ago"),
        (
            "started:>soon",
            "'soon' is neither an age like 90s, 30m, 12h, 2d or 1w nor a time",
        ),
        ("id:7", "a run's id is a UUID, not '7'"),
        (
            "waits:review",
            "a run waits for one of signal, unread, activity, timer, child, nothing, not ",
        ),
        ("waits:nothing:x", "waits:nothing:x: nothing has no name; write waits:nothing"),
        ("@:x", "an attribute's name must have 1 to 255 bytes, not 0"),
        ("@a:x*", "@a:x*: * stands for any characters in names only; quote it to mean itself"),
        ("@a:x\0", "a search has no NUL and no half of a character: "),
        ("workflow:*\ud800", "a search has no NUL and no half of a character: "),
        ("x" * 4_001, "a search is text of at most 4000 characters"),
    ],
)
def test_a_search_that_means_nothing_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        search_of(text)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_ages_are_before_the_time_of_the_question() -> None:
    now = 100 * DAY
    assert search_of("started:>2d ended:<999999999w").conditions(now) == [
        ("started_at", "lt", 98 * DAY),
        ("completed_at", "gt", -62_135_596_800_000_000),
    ]


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        search_of(text).conditions(0)
    except InvalidQuery:
        pass


@given(st.lists(st.text("ab", max_size=2), min_size=1, max_size=4), st.text("ab", max_size=5))
def test_a_pattern_matches_what_fits_between_its_parts(pattern: list[str], name: str) -> None:
    def fits(parts: list[str], rest: str) -> bool:
        if len(parts) == 1:
            return rest == parts[0]
        begins = rest.startswith(parts[0])
        after = rest[len(parts[0]) :]
        return begins and any(fits(parts[1:], after[skipped:]) for skipped in range(len(after) + 1))

    assert matches(pattern, name) == fits(pattern, name)


def test_signs_of_like_in_a_name_are_taken_literally() -> None:
    patterns: list[Any] = [["a%b_c\\d"], ["a", "b"]]
    assert [like(pattern) for pattern in patterns] == ["a\\%b\\_c\\\\d", "a%b"]
