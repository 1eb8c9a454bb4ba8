"""The manifests in the guide on deploying: they parse, and their commands are ones we have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import yaml

from continuum.cli.main import continuum
from continuum.settings.settings import NODE_SETTINGS
from tests.unit.docs.blocks import ROOT, blocks

GUIDE = ROOT / "docs" / "deploying.md"
# What a stop takes at most beside the drain, whatever hangs; docs/operations.md says so.
HUNG_S = 15.0


def manifests() -> list[dict[str, Any]]:
    return [each for block in blocks(GUIDE, "yaml") for each in yaml.safe_load_all(block.text)]


def pods() -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in manifests() if "kind" in each)


def test_the_containers_run_commands_that_there_are() -> None:
    called = []
    for pod in pods():
        for container in pod["containers"]:
            program, name, *words = container["args"]
            command = continuum.get_command(click.Context(continuum), name)
            assert program == "continuum"
            assert command is not None
            command.make_context(name, list(words))
            called.append(name)
    assert called == ["migrate", "run-node"]


def test_a_pod_has_time_to_drain() -> None:
    (grace,) = [
        pod["terminationGracePeriodSeconds"] for pod in pods() if "terminationGracePeriodSeconds" in pod
    ]
    assert grace > NODE_SETTINGS.drain + HUNG_S


def test_the_probes_ask_the_port_of_the_node() -> None:
    (node,) = [each for pod in pods() for each in pod["containers"] if each["name"] == "node"]
    (port,) = node["ports"]
    assert f"--http=0.0.0.0:{port['containerPort']}" in node["args"]
    asked = {name: probe["httpGet"] for name, probe in node.items() if name.endswith("Probe")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "readinessProbe": "/readyz",
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
    }
    assert {probe["port"] for probe in asked.values()} == {port["name"]}


def test_the_gate_runs_what_the_text_shows() -> None:
    (gate,) = [each["deploy-gate"] for each in manifests() if "deploy-gate" in each]
    shown = [line for block in blocks(GUIDE, "sh") for line in block.commands()]
    assert gate["script"] == shown[: len(gate["script"])]
