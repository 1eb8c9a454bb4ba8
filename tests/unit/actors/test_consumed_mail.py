"""A consumed inbox row is remembered for exactly as long as a fetch may return it again."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.port import InboxKind, InboxRow
from continuum_actors.run.consumed_mail import ConsumedMail, answers_first

ROW = 7
RUN = RunId("01a20000-0000-7000-8000-000000000000")


def test_a_row_is_consumed_until_its_removal_is_durable() -> None:
    mail = ConsumedMail()
    mail.add(ROW)
    mail.forget_before(100)
    assert ROW in mail


def test_a_fetch_that_began_before_the_removal_may_return_the_row() -> None:
    mail = ConsumedMail()
    mail.add(ROW)
    mail.removed([ROW], fetch=3)
    mail.forget_before(3)
    assert ROW in mail


def test_a_row_is_forgotten_by_the_first_fetch_after_its_removal() -> None:
    mail = ConsumedMail()
    mail.add(ROW)
    mail.removed([ROW], fetch=3)
    mail.forget_before(4)
    assert ROW not in mail


def test_an_answer_counts_before_the_report_that_its_attempt_was_lost() -> None:
    """They come together after an outage: the worker was taken for dead, and delivers what it has."""
    kinds = [
        InboxKind.SIGNAL,
        InboxKind.ACTIVITY_CRASHED,
        InboxKind.ACTIVITY_TIMED_OUT,
        InboxKind.ACTIVITY_RAISED,
        InboxKind.CANCEL,
        InboxKind.ACTIVITY_COMPLETED,
    ]
    rows = [InboxRow(number, RUN, kind, "1", (), None) for number, kind in enumerate(kinds)]
    assert [row.id for row in answers_first(rows)] == [0, 3, 4, 5, 1, 2]
