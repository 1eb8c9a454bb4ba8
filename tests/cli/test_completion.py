"""`continuum completion`: a script that each shell accepts, and what it completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import CommandLine
from tests.unit.docs.blocks import ROOMS, ROOT

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


def test_bash_completes_commands_options_and_values(cli: CommandLine, tmp_path: Path) -> None:
    """The script of the command, in a real bash with the real program."""
    program = tmp_path / "continuum"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m continuum.cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(cli.bare("completion", "bash").out, encoding="utf-8")
    completing = r"""
        source ./script
        for line in "continuum repl" "continuum runs ex" "continuum replay --verb" \
            "continuum runs list --state susp"
        do
            read -ra COMP_WORDS <<< "$line"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            _continuum_completion continuum
            echo "${COMPREPLY[@]}"
        done
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", completing],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.splitlines() == ["replay", "export", "--verbose", "suspended"], done.stderr


def test_the_help_says_how_to_install_it(cli: CommandLine) -> None:
    text = cli.bare("completion", "--help").out
    for line in ("continuum completion bash", "~/.bashrc", "~/.zshrc", "completions/continuum.fish"):
        assert line in text


def test_an_unknown_shell_is_refused(cli: CommandLine) -> None:
    assert cli.bare("completion", "csh").code == 2
