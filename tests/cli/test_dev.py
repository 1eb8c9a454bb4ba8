"""`continuum dev` says in one line what it needs."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.cli.commands import CommandLine

# By its path: the package has a command of the same name.
dev: Any = importlib.import_module("continuum.cli.dev")


def test_without_watchfiles_it_says_what_to_install(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "find_spec", lambda name: None)
    asked = cli("dev", "shop")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err == (
        "continuum: `continuum dev` needs watchfiles to notice a save: pip install 'continuum-durable[dev]'\n"
    )


def test_a_number_of_hosts_that_no_node_has_is_refused(cli: CommandLine) -> None:
    asked = cli("dev", "shop", "--run-hosts", "0")
    assert (asked.code, asked.out) == (2, "")
    assert "a node needs at least one run host, not 0" in asked.err
