"""`run-node --observer`: the web page where the node answers over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from urllib.parse import urljoin

import httpx
import pytest

from tests.process.node.nodes import DEADLINE_S
from tests.process.node.scraping import free_port


def launched(dsn: str, schema: str, *options: str) -> subprocess.Popen[str]:
    """Start a node as a person does."""
    command = [sys.executable, "-m", "continuum.cli", "run-node", "tests.process.node.flows"]
    return subprocess.Popen(
        [*command, "--dsn", dsn, "--schema", schema, "--name", "north", "--activity-hosts", "0", *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_node_serves_its_observer_and_ends_while_a_page_is_open(dsn: str, schema: str) -> None:
    with launched(dsn, schema, "--observer", "--http", f"127.0.0.1:{free_port()}") as node:
        try:
            assert node.stdout is not None
            assert node.stdout.readline().startswith("ready node=north")
            link = node.stdout.readline().removeprefix("observer ").strip()
            with httpx.Client(timeout=DEADLINE_S) as visitor:
                assert visitor.get(urljoin(link, "/healthz")).text == "ok\n"
                assert visitor.get(urljoin(link, "/nodes")).status_code == 401
                assert visitor.get(link).status_code == 200
                assert "north" in visitor.get(urljoin(link, "/nodes")).text
                with visitor.stream("GET", urljoin(link, "/live/nodes")) as stream:
                    assert stream.status_code == 200
                    node.send_signal(signal.SIGTERM)
                    for _ in stream.iter_raw():
                        pass
            assert node.wait(DEADLINE_S) == 0
        finally:
            node.kill()
        assert node.stderr is not None
        assert node.stderr.read() == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--http", "0.0.0.0:{port}"), "--auth token"),
        (("--auth", "token"), "--tokens"),
        (("--auth", "proxy"), "--trusted-proxy"),
    ],
)
def test_an_observer_that_anybody_could_open_does_not_start(
    dsn: str, schema: str, options: tuple[str, ...], said: str
) -> None:
    given = [option.format(port=free_port()) for option in options]
    with launched(dsn, schema, "--observer", *given) as node:
        _, err = node.communicate(timeout=DEADLINE_S)
    assert node.returncode == 2
    assert said in err
