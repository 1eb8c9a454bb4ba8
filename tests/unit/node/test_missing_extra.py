"""`--http` without its extra is one line that says what to install."""

from __future__ import annotations

import sys

import pytest

from continuum.errors import InvalidOption
from continuum.node.config import NodeConfig
from continuum.node.launcher import served_http
from continuum.node.node_status import NodeStatus


@pytest.mark.parametrize("library", ["prometheus_client", "starlette", "uvicorn"])
def test_a_missing_library_is_named_with_what_installs_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ("continuum.node.http_server", "continuum.node.node_routes", "continuum.telemetry.prometheus_text")
    for name in list(sys.modules):
        if name in ours or name.partition(".")[0] == library:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)

    with (
        pytest.raises(InvalidOption) as error,
        served_http(NodeConfig(http=("127.0.0.1", 0)), NodeStatus(10)),
    ):
        pytest.fail("it serves")

    assert library in str(error.value)
    assert str(error.value).endswith("pip install 'continuum-durable[metrics]'")


def test_a_node_without_http_needs_nothing() -> None:
    with served_http(NodeConfig(), NodeStatus(10)) as address:
        assert address is None
