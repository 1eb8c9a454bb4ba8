"""The observer of `continuum dev` is served before anything is asked of its database."""

from __future__ import annotations

import socket

import pytest

from continuum.development.observing import observing
from continuum.errors import InvalidOption

NOWHERE = "postgresql://nowhere.invalid/none"


def test_a_port_that_is_in_use_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with observing(NOWHERE, "public", "127.0.0.1", port) as link:
            address = link.removeprefix("http://").partition("/")[0]
            assert address.startswith("127.0.0.1:")
            assert address != f"127.0.0.1:{port}"
            assert link.startswith(f"http://{address}/link")


def test_an_address_that_others_can_reach_is_refused() -> None:
    with (
        pytest.raises(InvalidOption, match=r"0\.0\.0\.0 can be reached"),
        observing(NOWHERE, "public", "0.0.0.0", 8400),
    ):
        pytest.fail("it serves")
