"""Links that sign in: each once, for some minutes, where it was made."""

from __future__ import annotations

from continuum.observer.guarding.links import Links
from continuum.observer.limits import LINK_SECONDS
from continuum.observer.visitor import Role, Visitor

ADA = Visitor("ada", Role.ADMIN)


def key_of(link: str) -> str:
    return link.partition("key=")[2]


def test_a_link_is_taken_once() -> None:
    links = Links()
    key = key_of(links.link(ADA))
    assert links.take(key) == ADA
    assert links.take(key) is None


def test_a_link_is_taken_by_the_process_that_made_it() -> None:
    assert Links().take(key_of(Links().link(ADA))) is None


def test_an_old_link_is_not_taken() -> None:
    now = 0.0
    links = Links(lambda: now)
    key = key_of(links.link(ADA))
    now = float(LINK_SECONDS)
    assert links.take(key) is None
