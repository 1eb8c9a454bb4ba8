"""A consumed inbox row is remembered for exactly as long as a fetch may return it again."""

from __future__ import annotations

from continuum_actors.run.consumed_mail import ConsumedMail

ROW = 7


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
