"""Where a client connects: an explicit DSN, a running instance, the configured one, the environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import continuum
from continuum import InstanceNotRegistered, InvalidOption
from continuum.client.connecting import find_place
from continuum.client.instances import Instance, MemoryPlace, Place, configure_default, find, registered
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal
from continuum_supervision import Supervisor

ELSEWHERE = "postgresql://u@elsewhere/d"


@pytest.fixture(autouse=True)
def nothing_is_configured() -> Iterator[None]:
    """Undo the configuration of a test."""
    configure_default(None)
    yield
    configure_default(None)


def test_the_default_instance_is_the_one_configured_last() -> None:
    """JRS1, JRS2, JRS3."""
    for dsn in ("postgresql://u@one/d", "postgresql://u@two/d"):
        continuum.configure(dsn, schema="shop")
        assert find_place(Place()) == Place(dsn, schema="shop")


def test_a_named_instance_with_a_dsn_is_on_postgres() -> None:
    """JRS4."""
    place = Place(ELSEWHERE, "billing", "billing")
    with registered(Instance("billing", place)):
        assert find_place(Place(name="billing")) == place


def test_a_named_instance_in_memory_is_found_by_its_name() -> None:
    """JRS5: with `journal="memory"`."""
    journal: Journal = MemoryJournal()

    async def main() -> None:
        place = MemoryPlace(journal, asyncio.get_running_loop())
        with registered(Instance("billing", place)):
            assert find_place(Place(name="billing")) is place

    asyncio.run(main())


def test_an_explicit_dsn_wins() -> None:
    """JRS6."""
    continuum.configure("postgresql://u@configured/d")
    with registered(Instance("billing", Place("postgresql://u@billing/d", "billing", "billing"))):
        for name in ("billing", "default"):
            assert find_place(Place(ELSEWHERE, name)) == Place(ELSEWHERE, name)


def test_an_unknown_instance_is_refused_with_the_running_names() -> None:
    with (
        registered(Instance("billing", Place(ELSEWHERE))),
        pytest.raises(InstanceNotRegistered, match=r"'stock' runs in this process \(running: billing\)"),
    ):
        find_place(Place(name="stock"))


def test_a_name_is_free_after_its_instance_has_stopped() -> None:
    with registered(Instance("billing", Place(ELSEWHERE))):
        pass
    assert find("billing") is None
    with registered(Instance("billing", Place(ELSEWHERE))):
        assert find("billing") is not None


def test_a_name_has_one_instance_at_a_time() -> None:
    first = Instance("billing", Place(ELSEWHERE))
    with registered(first):
        second = registered(Instance("billing", Place(ELSEWHERE)))
        with pytest.raises(InvalidOption, match="another name"):
            second.__enter__()
        assert find("billing") is first


def test_a_schema_other_than_the_instance_has_is_refused() -> None:
    with registered(Instance("billing", Place(ELSEWHERE, "billing", "billing"))):
        assert find_place(Place(name="billing", schema="billing")).schema == "billing"  # type: ignore[union-attr]
        with pytest.raises(InvalidOption, match="leave schema out"):
            find_place(Place(name="billing", schema="continuum"))


def test_the_default_name_falls_back_to_the_environment() -> None:
    assert find_place(Place()) == Place()


def test_a_configured_name_is_looked_up_at_every_call() -> None:
    continuum.configure(name="billing")
    with pytest.raises(InstanceNotRegistered, match="billing"):
        find_place(Place(name="billing"))
    place = Place(ELSEWHERE, "billing", "billing")
    with registered(Instance("billing", place)):
        assert find_place(Place()) == place


def test_a_memory_journal_of_another_loop_is_refused() -> None:
    async def main() -> None:
        async with Supervisor(continuum.children(name="here", journal="memory")):
            await asyncio.to_thread(elsewhere)

    def elsewhere() -> None:
        with (
            pytest.raises(InvalidOption, match="another event loop; connect there"),
            continuum.connect_sync(name="here"),
        ):
            pass

    asyncio.run(main())
