"""`continuum init`: the project that it writes runs, and so do the files to deploy it with."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from continuum.cli.main import COMMANDS
from continuum.cli.node import run_node
from continuum.cli.observer import observer
from tests.cli.commands import CommandLine
from tests.unit.docs.blocks import ROOMS, ROOT, continuum_calls

NAME = "trial_shop"


@pytest.fixture
def project(cli: CommandLine, tmp_path: Path) -> Path:
    """A new project."""
    directory = tmp_path / "Trial Shop"
    made = cli.bare("init", str(directory))
    assert made.code == 0
    assert f"cd '{directory}'; pip install -e '.[dev]'; pytest; continuum dev {NAME}.workflows" in made.err
    assert sorted(made.out.splitlines()) == sorted(
        str(each) for each in directory.rglob("*") if each.is_file()
    )
    return directory


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS)}


def test_the_tests_of_a_new_project_pass(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_code_of_a_new_project_has_nothing_that_replay_could_not_repeat(
    project: Path, cli: CommandLine
) -> None:
    checked = cli.bare("check", str(project / NAME / "workflows.py"))
    assert (checked.code, checked.out) == (0, "0 errors, 0 warnings in 1 workflow\n")


def test_no_file_of_a_new_project_has_a_place_left_to_fill_in(project: Path) -> None:
    texts = {each.name: each.read_text(encoding="utf-8") for each in project.rglob("*") if each.is_file()}
    assert [name for name, text in texts.items() if "__PACKAGE__" in text or "__RELEASE__" in text] == []
    settings = tomllib.loads(texts["pyproject.toml"])
    assert settings["project"]["name"] == NAME
    assert settings["project"]["dependencies"][0].startswith("continuum-durable[observer,metrics]")


def test_the_compose_file_runs_what_there_is(project: Path) -> None:
    services = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert list(services) == ["postgres", "migrate", "node", "observer"]
    for service in ("migrate", "node", "observer"):
        dsn = services[service]["environment"]["CONTINUUM_DSN"]
        assert dsn == f"postgresql://{NAME}:${{POSTGRES_PASSWORD}}@postgres/{NAME}"
    assert services["migrate"]["command"] == ["continuum", "migrate"]
    assert services["observer"]["ports"] == ["127.0.0.1:8400:8400"]
    (asked,) = re.findall(r"http://127.0.0.1:(\d+)/readyz", services["node"]["healthcheck"]["test"][-1])
    assert asked == "8080"
    served = services["observer"]["command"][-1].rpartition("exec continuum observer ")[2].split()
    options = {option for each in observer.params for option in each.opts}
    assert {word for word in served if word.startswith("--")} <= options


def test_the_image_runs_a_node(project: Path) -> None:
    lines = (project / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (last,) = [line for line in lines if line.startswith("CMD ")]
    words = yaml.safe_load(last.removeprefix("CMD "))
    assert words[:2] == ["continuum", "run-node"]
    context = run_node.make_context("run-node", words[2:])
    assert context.params["modules"] == (f"{NAME}.workflows",)
    assert context.params["http"] == ("0.0.0.0", 8080)
    assert "EXPOSE 8080" in lines
    # What it copies is there.
    for line in lines:
        if line.startswith("COPY "):
            assert (project / line.split()[1]).exists()


def test_secrets_are_random_and_stay_out_of_git_and_the_image(project: Path) -> None:
    secrets = project / ".env"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    values = [
        line.partition("=")[2] for line in secrets.read_text(encoding="utf-8").splitlines() if "=" in line
    ]
    assert len({*values}) == 2
    assert all(len(value) == 48 for value in values)
    for name in (".gitignore", ".dockerignore"):
        assert ".env" in (project / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(project: Path, tmp_path: Path) -> None:
    text = (project / "deploy" / f"{NAME}.service").read_text(encoding="utf-8")
    # It is to start what is not installed here, as a user that is not there.
    here = text.replace(f"/opt/{NAME}/.venv/bin/continuum", "/bin/true").replace(f"User={NAME}", "User=root")
    assert here.count("/bin/true") == 1
    unit = tmp_path / f"{NAME}.service"
    unit.write_text(here, encoding="utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in checked.stderr.splitlines() if NAME in line]
    assert (checked.returncode, said) == (0, [])


def test_the_readme_names_commands_that_there_are(project: Path) -> None:
    calls = continuum_calls(project / "README.md")
    assert {words[0] for words in calls} - {"dev"} <= set(COMMANDS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "is not empty; give a new directory"),
        (("--name", "Shop"), "is named with up to 40 lower-case letters, digits and underscores"),
        (("--name", "json"), "would hide one that Python or the project needs"),
        (("--name", "continuum"), "would hide one that Python or the project needs"),
    ],
)
def test_init_says_what_it_does_not_take(
    cli: CommandLine, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    made = cli.bare("init", str(tmp_path), *given)
    assert (made.code, made.out) == (2, "")
    assert said in made.err
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_with_an_odd_name_needs_another_name(cli: CommandLine, tmp_path: Path) -> None:
    refused = cli.bare("init", str(tmp_path / "2026"))
    assert (refused.code, list(tmp_path.iterdir())) == (2, [])
    assert "give another one with --name" in refused.err
    assert cli.bare("init", str(tmp_path / "2026"), "--name", "orders").code == 0
    assert (tmp_path / "2026" / "orders" / "workflows.py").is_file()


def test_a_file_is_no_directory(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    refused = cli.bare("init", str(tmp_path / "notes"))
    assert refused.code == 2
    assert "notes' is a file; give a new directory" in refused.err
