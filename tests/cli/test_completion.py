"""`continuum completion`: a script that each shell accepts, and what it completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.commands import CommandLine
from tests.cli.stored_world import stored_world
from tests.cli.test_commands import started
from tests.unit.docs.blocks import ROOMS, ROOT

# Completes command lines; one that ends in a space begins another word.
Completing: TypeAlias = Callable[..., list[str]]

CHECKS = {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}


@pytest.mark.parametrize("shell", CHECKS)
def test_a_shell_accepts_its_script(cli: CommandLine, shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    outcome = cli.bare("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert "_CONTINUUM_COMPLETE" in outcome.out
    script.write_text(outcome.out, encoding="utf-8")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, *CHECKS[shell], str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def bash(cli: CommandLine, tmp_path: Path) -> Completing:
    """The script of the command, in a real bash with the real program."""
    program = tmp_path / "continuum"
    # A test waits for an answer however long a machine under load takes.
    patient = "import continuum.cli.completed_words as words; words.ANSWER_SECONDS = 60"
    ours = f"import sys; {patient}; from continuum.cli import main; sys.exit(main())"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{ours}' \"$@\"\n")
    program.chmod(0o755)
    (tmp_path / "script").write_text(cli.bare("completion", "bash").out, encoding="utf-8")
    completing = r"""
        source ./script
        IFS=$'\n'
        for line in $LINES_TYPED
        do
            IFS=' ' read -ra COMP_WORDS <<< "${line%.}"
            [[ $line == *" ." ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            _continuum_completion continuum
            IFS=' '
            echo "${COMPREPLY[*]}"
        done
    """

    def complete(*typed: str, **environment: str) -> list[str]:
        known = {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS),
            "LINES_TYPED": "\n".join(f"{line}." if line.endswith(" ") else line for line in typed),
        }
        done = subprocess.run(
            ["bash", "--norc", "-c", completing],
            cwd=tmp_path,
            env=os.environ | known | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


def test_bash_completes_commands_options_and_values(bash: Completing) -> None:
    assert bash("continuum repl", "continuum runs ex") == ["replay", "export"]
    assert bash("continuum replay --verb", "continuum runs list --state susp") == ["--verbose", "suspended"]


def test_bash_completes_the_codes_of_repairs(bash: Completing) -> None:
    assert bash("continuum repair lost-", "continuum repair index-", "continuum repair function") == [
        "lost-wake",
        "index-invalid index-missing",
        "function-missing",
    ]


def test_bash_completes_the_latest_runs_that_begin_like_this(cli: CommandLine, bash: Completing) -> None:
    first, second = started(cli), started(cli)
    place = f"--schema {cli.options[3]}"
    assert bash(
        f"continuum explain {place} {first[:30]}",
        f"continuum explain {place} {first}",
        f"continuum signal {place} ",
        f"continuum signal {place} {first} ",
        f"continuum repair {place} lost-wake ",
        f"continuum repair {place} lease-odd ",
        f"continuum runs restart {place} not-an-id",
    ) == [
        f"{second} {first}" if second.startswith(first[:30]) else first,
        first,
        f"{second} {first}",
        "",
        f"{second} {first}",
        "",
        "",
    ]


def test_bash_completes_names_that_the_database_knows(
    cli: CommandLine, dsn: str, schema: str, bash: Completing
) -> None:
    world = stored_world(dsn, schema)
    assert cli("pause", "--queue", "mail", "--yes").code == 0
    assert cli("pause", "--queue", "mail room", "--yes").code == 0
    place = f"--schema {schema}"
    found = bash(
        f"continuum start {place} ",
        f"continuum pause {place} --workflow ",
        f"continuum resume {place} --queue ma",
        f"continuum nodes drain {place} ",
        f"continuum runs show {place} {world.blocked[:35]}",
    )
    nodes = [node["node"] for node in cli("nodes", "list", "--json").json]
    workflows = sorted({row["workflow"] for row in cli("versions", "list", "--json").json})
    assert found == [" ".join(workflows), " ".join(workflows), "mail", " ".join(sorted(nodes)), world.blocked]


@pytest.mark.parametrize(
    "place",
    ["host=127.0.0.1 port=1", "postgresql://", "no dsn at all", ""],
    ids=["away", "other", "bad", "none"],
)
def test_nothing_is_completed_without_a_database(bash: Completing, tmp_path: Path, place: str) -> None:
    (tmp_path / "data").mkdir()
    environment = {"CONTINUUM_DSN": place, "CONTINUUM_DATA_DIR": str(tmp_path / "data"), "PGHOST": "/nowhere"}
    assert bash("continuum explain ", "continuum start ", **environment) == ["", ""]
    assert list((tmp_path / "data").iterdir()) == []


def test_the_help_says_how_to_install_it(cli: CommandLine) -> None:
    text = cli.bare("completion", "--help").out
    for line in ("continuum completion bash", "~/.bashrc", "~/.zshrc", "completions/continuum.fish"):
        assert line in text


def test_an_unknown_shell_is_refused(cli: CommandLine) -> None:
    assert cli.bare("completion", "csh").code == 2
