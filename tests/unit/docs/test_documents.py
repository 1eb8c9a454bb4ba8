"""What the documents say is so: their examples run, their commands parse, what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from continuum.cli.main import COMMANDS, continuum
from continuum.journal import port
from continuum.verify.rules import RULES
from tests.unit.docs.blocks import ROOT, blocks, continuum_calls, documents

README = ROOT / "README.md"
EXAMPLE = ROOT / "examples" / "orders.py"
MODEL = ROOT / "examples" / "trips.py"
# What fits on one screen; more would not be a first workflow.
MOST_LINES_OF_A_FIRST_WORKFLOW = 40
MOST_LINES_OF_A_MODEL = 80
MOST_LINES_OF_A_README = 290


def words_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_first_workflow_of_the_readme_is_the_example() -> None:
    shown = blocks(README, "python")[0].text
    assert shown == EXAMPLE.read_text(encoding="utf-8")
    assert shown.count("\n") < MOST_LINES_OF_A_FIRST_WORKFLOW


def test_the_model_of_the_readme_is_the_second_example_in_less_than_two_screens() -> None:
    text = README.read_text(encoding="utf-8")
    model = text[text.index("## The model") : text.index("## What is promised")]
    assert model.count("\n") < MOST_LINES_OF_A_MODEL
    assert blocks(README, "python")[2].text == MODEL.read_text(encoding="utf-8")


def test_every_promise_that_a_rule_keeps_is_explained() -> None:
    promises = {line.split()[0] for line in (port.__doc__ or "").splitlines() if re.match(r"P\d+ ", line)}
    kept = {rule.keeps for rule in RULES.values()}
    assert {name for name in kept if name.startswith("P")} <= promises
    for document, names in (("docs/reliability.md", promises), ("ARCHITECTURE.md", kept - promises)):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert [name for name in sorted(names) if f"\n| {name} | " not in text] == []


def test_the_readme_lists_every_command() -> None:
    text = README.read_text(encoding="utf-8")
    listed = text[text.index("## The command line") :]
    assert [name for name in COMMANDS if f"`continuum {name}" not in listed] == []


def test_every_command_but_a_few_takes_a_database() -> None:
    """What the README says below its table."""
    without = [
        name
        for name, command in continuum_commands().items()
        if "--dsn" not in [option for each in command.params for option in each.opts]
    ]
    assert without == ["check", "completion", "contracts show", "demo", "init"]
    assert (
        "Every command but `demo`, `check`, `contracts show`, `init` and `completion` takes `--dsn`"
        in README.read_text(encoding="utf-8")
    )


def continuum_commands() -> dict[str, click.Command]:
    """Return every command that has no subcommands, by its name."""
    found: dict[str, click.Command] = {}
    for name in sorted(COMMANDS):
        command = continuum.get_command(click.Context(continuum), name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {each}": part for each, part in command.commands.items()}
        else:
            found[name] = command
    return found


def test_the_readme_is_read_in_one_sitting() -> None:
    assert README.read_text(encoding="utf-8").count("\n") < MOST_LINES_OF_A_README


def test_the_second_terminal_of_the_readme_shows_what_it_says(node: Path, shell: Mapping[str, str]) -> None:
    """DOC1: an order that is approved."""
    second = blocks(README, "console")[1]
    script = "\n".join(second.commands())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=node,
        env=shell,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for answer in second.answers():
        assert answer in done.stdout.splitlines()


@pytest.mark.parametrize("number", range(1, len(blocks(README, "python"))))
def test_the_other_python_of_the_readme_runs(number: int, node: Path, shell: Mapping[str, str]) -> None:
    """DOC1, B79: an order that is rejected, among others."""
    done = subprocess.run(
        [sys.executable, "-c", blocks(README, "python")[number].text],
        cwd=node,
        env=shell,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("", "refunded payment-o-2-500\n")


@pytest.mark.parametrize("number", range(len(blocks(ROOT / "docs" / "client.md", "python"))))
def test_the_python_of_the_clients_document_runs(number: int, node: Path, shell: Mapping[str, str]) -> None:
    shown = blocks(ROOT / "docs" / "client.md", "python")[number].text
    done = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=node,
        env=shell,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", documents(), ids=words_of)
def test_every_command_in_a_document_is_one_we_have(path: Path) -> None:
    for words in continuum_calls(path):
        command: click.Command = continuum
        rest = words
        while isinstance(command, click.Group) and not is_used_alone(command, rest):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, f"there is no `continuum {' '.join(words)}`"
            command, rest = found, rest[1:]
        command.make_context("continuum", ["{}" if word.startswith("$") else word for word in rest])


def is_used_alone(command: click.Group, rest: list[str]) -> bool:
    """Whether a group is a command by itself here: options follow, or nothing."""
    return command.invoke_without_command and (not rest or rest[0].startswith("-"))


@pytest.mark.parametrize("path", documents(), ids=words_of)
def test_every_link_in_a_document_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_file_and_test_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    suite = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert [name for name in named if f"def {name}(" not in suite] == []
    files = re.findall(r"`([\w/]+\.(?:py|sql|md))`", text)
    rooms = [ROOT, *(ROOT / room for room in ("continuum/continuum", "actors/continuum_actors"))]
    rooms += [ROOT / "supervision/continuum_supervision", ROOT / "migrations/continuum_migrations"]
    assert [file for file in files if not any((room / file).exists() for room in rooms)] == []
    assert {f"I{number}" for number in range(1, 13)} <= set(re.findall(r"\bI\d+\b", text))
