"""The options that `continuum.children` accepts, and its errors before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import continuum
from continuum import InvalidOption, activity, workflow
from continuum.node.in_process_options import InstanceOptions, check_options
from continuum_supervision import Restart


@workflow(name="options.flow")
async def flow() -> None:
    """Do nothing."""


@activity(name="options.act")
async def act() -> None:
    """Do nothing."""


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"heartbeat": True}, r"no option 'heartbeat'; there are name, dsn, .*heartbeater"),
    ({"name": ""}, r"name=''\): allowed is 1 to 63 letters"),
    ({"name": "a b"}, r"name='a b'"),
    ({"name": "x" * 64}, r"1 to 63 letters"),
    ({"name": 7}, r"name=7"),
    ({"journal": "redis"}, r"journal='redis'\): allowed is 'postgres', 'memory', or an object"),
    ({"journal": "memory", "dsn": "postgresql://x/y"}, r"leave dsn and schema out"),
    ({"journal": "memory", "schema": "x"}, r"leave dsn and schema out"),
    ({"dsn": 5}, r"dsn=5\): allowed is a DSN or None"),
    ({"dsn": "no dsn at all"}, r"the DSN cannot be read"),
    ({"schema": ""}, r"schema=''"),
    ({"schema": "No Schema"}, r"lower-case letters"),
    ({"workflows": flow}, r"workflows=.*allowed is a list of functions with @workflow"),
    ({"workflows": "module"}, r"workflows='module'"),
    ({"workflows": [act]}, r"allowed are functions with @workflow"),
    ({"activities": [flow]}, r"allowed are functions with @activity"),
    ({"queues": ["payments"]}, r"a dict of queue and limit"),
    ({"queues": {"payments": 0}}, r"'payments': 0.*a whole number from 1"),
    ({"queues": {"payments": True}}, r"'payments': True"),
    ({"queues": {"": 1}}, r"a name and a whole number"),
    ({"namespaces": "tenant"}, r"namespaces='tenant'\): allowed is a list of names or None"),
    ({"namespaces": 7}, r"namespaces=7"),
    ({"namespaces": [["tenant"]]}, r"namespaces=\[\['tenant'\]\]"),
    ({"namespaces": []}, r"namespaces=\[\]\) would claim nothing; leave it out"),
    ({"namespaces": ["tenant", ""]}, r"namespaces=\[''\]\): a namespace has 1 to 255 bytes"),
    ({"heartbeater": {"ttl": 0.5}}, r"'ttl': 0.5\}\): allowed is 1 to 600 seconds"),
    ({"heartbeater": {"ttl": "10"}}, r"'ttl': '10'"),
    ({"heartbeater": {"ttl": True}}, r"'ttl': True"),
    ({"heartbeater": {"ttl": float("nan")}}, r"'ttl': nan"),
    ({"heartbeater": {"tll": 3}}, r"heartbeater=\{'tll': …\}\): no such option; there are ttl"),
    ({"heartbeater": 10}, r"heartbeater=10\): allowed are True, False or a dict"),
    ({"heartbeater": None}, r"heartbeater=None"),
    ({"timer_wheel": {"slots": 3}}, r"no such option; it has none"),
    ({"run_supervisor": {"active_runs": 0}}, r"'active_runs': 0"),
    ({"run_supervisor": {"drain": -1}}, r"'drain': -1\}\): allowed is 0 to 3600 seconds"),
    ({"signal_router": {"listen": 1}}, r"'listen': 1\}\): allowed is True or False"),
    ({"snapshotter": {"events": 1.5}}, r"'events': 1.5"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[str(options) for options, _ in REFUSED])
def test_a_wrong_option_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    """SRT9"""
    with pytest.raises(InvalidOption, match=message):
        continuum.children(**options)


def test_every_declared_option_is_accepted() -> None:
    given: InstanceOptions = {
        "name": "billing",
        "dsn": "postgresql://u@h/d",
        "schema": "billing",
        "journal": "postgres",
        "workflows": (each for each in [flow]),
        "activities": [act],
        "queues": {"payments": 4},
        "connections": 2,
        "namespaces": ["tenant", "other", "tenant"],
        "tune_garbage_collector": True,
        "registry": True,
        "heartbeater": {"ttl": 5},
        "run_supervisor": {"active_runs": 1, "live_suspended_runs": 2, "drain": 0},
        "activity_supervisor": {"threads": 3},
        "recovery": False,
        "dispatcher": False,
        "activity_dispatcher": {"tasks": 4},
        "activity_executor": None,
        "timer_wheel": True,
        "signal_router": {"listen": False, "poll": 0.25},
        "snapshotter": False,
        "version_registry": False,
    }
    assert set(given) == set(InstanceOptions.__annotations__)
    checked = check_options(given)
    assert checked.without == {"recovery", "dispatcher", "snapshotter", "version_registry"}
    assert checked.workflows == (flow,)
    assert checked.settings.lease_ttl == 5
    assert checked.settings.connections == 2
    assert checked.settings.namespaces == ("tenant", "other")
    assert not checked.settings.listen
    assert len(continuum.children(**given)) == 1


def test_an_instance_is_one_child_that_is_restarted_after_a_crash_and_not_after_a_drain() -> None:
    (spec,) = continuum.children(name="billing", journal="memory", workflows=[flow])
    assert spec.id == "continuum.billing"
    assert spec.restart is Restart.TRANSIENT


def test_a_client_does_not_load_the_actors(fresh_python: Callable[[str], str]) -> None:
    loaded = fresh_python(
        "import sys, continuum; "
        "print([name for name in sys.modules if name.startswith(('continuum_actors', 'thespian'))])"
    )
    assert loaded.strip() == "[]"


def test_an_in_process_node_does_not_load_the_process_transport(
    fresh_python: Callable[[str], str],
) -> None:
    loaded = fresh_python(
        "import sys, continuum; continuum.children(journal='memory'); "
        "print([name for name in sys.modules if name.startswith('thespian')])"
    )
    assert loaded.strip() == "[]"
