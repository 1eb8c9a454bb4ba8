"""The settings of a node: their defaults, the values that are refused, and how they reach the processes."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest

from continuum import InvalidOption
from continuum.cli.node import run_node
from continuum.cli.observer_options import GivenOptions
from continuum.definitions.name_rules import short_text
from continuum.engine.ids import NodeId
from continuum.journal.connection_room import ConnectionRoom
from continuum.node.config import NodeConfig
from continuum.settings.rules import wrong_namespaces
from continuum.settings.settings import NODE_SETTINGS, RULES, Settings
from continuum_actors.node.control_process import connections_of
from continuum_actors.node.node import node_processes
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.process.log import LogOutput

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"run_hosts": 0}, "a node needs at least one run host, not 0"),
    ({"activity_hosts": -1}, "the number of activity hosts cannot be -1"),
    ({"queues": {"mail": 0}}, "the limit of queue 'mail' must be at least 1, not 0"),
    ({"namespaces": ()}, "a node without a namespace would claim nothing; None claims from all"),
    ({"namespaces": ("a", "")}, "a namespace has 1 to 255 bytes without control characters, not ''"),
    ({"namespaces": ("a\n",)}, "a namespace has 1 to 255 bytes without control characters, not 'a\\n'"),
    ({"namespaces": "shop"}, "namespaces must be a tuple of names, not 'shop'"),
    ({"lease_ttl": None}, "the lease must last 1 to 600 seconds, not None"),
    ({"run_hosts": None}, "a node needs at least one run host, not None"),
    ({"lease_ttl": 0.5}, "the lease must last 1 to 600 seconds, not 0.5"),
    ({"lease_ttl": float("nan")}, "the lease must last 1 to 600 seconds, not nan"),
    ({"watchdog": 0.0}, "watchdog must be 0.1 to 3600 seconds, not 0.0"),
    ({"drain": -1.0}, "drain must be 0 to 3600 seconds, not -1.0"),
    ({"poll": 0.0}, "poll must be 0.05 to 3600 seconds, not 0.0"),
    ({"active_runs": 0}, "active_runs must be a whole number from 1 to 100000, not 0"),
    ({"claimed_tasks": True}, "claimed_tasks must be a whole number from 1 to 100000, not True"),
    ({"listen": "no"}, "listen must be True or False, not 'no'"),
]


@pytest.mark.parametrize(("chosen", "message"), REFUSED, ids=[str(chosen) for chosen, _ in REFUSED])
def test_a_node_refuses_a_setting_in_one_sentence(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        NodeConfig(settings=Settings(**chosen))
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["a", "é" * 127, "é" * 128, "", "a\x7f", "\x00", "\udc80", 7, None])
def test_a_node_serves_the_namespaces_that_a_run_can_have(name: Any) -> None:
    try:
        short_text(name, "namespace")
    except InvalidOption:
        assert wrong_namespaces([name]) == [name]
    else:
        assert wrong_namespaces([name]) == []


def test_the_defaults_pass_their_own_check() -> None:
    Settings().check()
    NODE_SETTINGS.check()


def test_every_setting_has_a_rule() -> None:
    assert {*RULES, "queues", "namespaces"} == {setting.name for setting in fields(Settings)}


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [(Settings(), 10.0), (Settings(poll=3.0), 3.0), (Settings(listen=False, poll=3.0), 120.0)],
)
def test_a_process_without_listen_leaves_looking_to_its_node(settings: Settings, seconds: float) -> None:
    assert settings.poll_seconds == seconds


@pytest.mark.parametrize(
    ("settings", "seconds"), [(Settings(listen=False), 1.0), (Settings(listen=False, poll=3.0), 3.0)]
)
def test_a_node_without_listen_looks_every_second_or_as_often_as_poll_says(
    settings: Settings, seconds: float
) -> None:
    assert settings.look_seconds == seconds


def test_every_option_of_run_node_is_a_setting_or_says_where_the_node_is() -> None:
    known = {each.name for each in (*fields(Settings), *fields(NodeConfig))} | {"no_listen"}
    known |= {"observes"} | {each.name for each in fields(GivenOptions)}
    assert {parameter.name for parameter in run_node.params} <= known


def test_every_process_of_a_node_receives_the_settings_as_they_are() -> None:
    settings = replace(NODE_SETTINGS, run_hosts=3, drain=1.0)
    config = ProcessConfig("dsn", "schema", NodeId("north"), (), "local", 1, LogOutput(), settings)
    processes = node_processes(config)
    assert [process.role for process in processes] == [
        "control",
        *["run_host"] * 3,
        "activity_host",
        *["quarantine_host"] * 2,
    ]
    assert all(process.args.settings is settings for process in processes)
    assert {process.shutdown_budget for process in processes} == {5.0, 6.0}


@pytest.mark.parametrize(
    ("settings", "connections"),
    [
        (NODE_SETTINGS, 2 * 2 + 3),
        (replace(NODE_SETTINGS, run_hosts=4), 4 * 2 + 3),
        (replace(NODE_SETTINGS, connections=5), 2 * 5 + 3),
        (replace(NODE_SETTINGS, listen=False), 0),
    ],
)
def test_a_node_has_two_connections_for_each_run_host_and_three_besides(
    settings: Settings, connections: int
) -> None:
    assert connections_of(settings) == connections


def test_the_limit_of_the_server_is_near_when_a_fifth_is_left() -> None:
    assert ConnectionRoom(100, 70, 10).warning is None
    assert re.search(
        r"may open 71 connections.*accepts 100: raise max_connections.*--connections",
        ConnectionRoom(100, 71, 10).warning or "",
    )
