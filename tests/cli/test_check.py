"""`continuum check`: findings as lines and as JSON, trust from options and pyproject.toml, exit codes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.commands import CommandLine

CLEAN = """\
import continuum
from theirs import price

@continuum.workflow
async def order(n: int) -> int:
    return n
"""
NONDETERMINISTIC = """\
import datetime as dt
import continuum
from theirs import price
raise SystemExit("nothing is executed")

@continuum.workflow
async def order(n: int) -> object:
    print(n)
    return dt.datetime.now()

@continuum.workflow(name="other")
async def other(n: int) -> int:
    return price(n)
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in a directory with modules of its own; it needs no database."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "clean.py").write_text(CLEAN)
    (tmp_path / "shop" / "faulty.py").write_text(NONDETERMINISTIC)
    (tmp_path / "theirs.py").write_text("def price(n):\n    return n\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return CommandLine((), capsys)


def test_a_module_without_findings_exits_with_0(check: CommandLine) -> None:
    outcome = check("check", "shop.clean")
    assert (outcome.code, outcome.out, outcome.err) == (0, "0 errors, 0 warnings in 1 workflow\n", "")


def test_modules_that_define_nothing_to_check_exit_with_1(check: CommandLine) -> None:
    """A misspelt name, like that of the application instead of the module with its workflows."""
    nothing = "no workflow or pure helper is defined in theirs.py; name the modules that define them\n"
    outcome = check("check", "theirs")
    assert (outcome.code, outcome.out, outcome.err) == (1, "0 errors, 0 warnings in 0 workflows\n", nothing)
    assert (check("check", "theirs", "--json").code, check("check", "theirs", "--json").json) == (1, [])
    beside = check("check", "theirs", "shop.clean")
    assert (beside.code, beside.err) == (0, nothing)
    Path("theirs.py").write_text("import continuum\n@continuum.pure\ndef price(n):\n    return n\n")
    assert (check("check", "theirs").code, check("check", "theirs").err) == (0, "")
    Path("theirs.py").write_text("import continuum\n@continuum.pure\nclass Price:\n    n: int\n")
    assert check("check", "theirs").code == 0


def test_errors_are_printed_as_lines_and_exit_with_1(check: CommandLine) -> None:
    outcome = check("check", "shop.faulty", "shop.clean")
    first, second, third, summary = outcome.out.splitlines()
    assert outcome.code == 1
    assert first.startswith("shop/faulty.py:8:5 CT208 print() ")
    assert second.startswith("shop/faulty.py:9:12 CT101 datetime.datetime.now() ")
    assert third.startswith("shop/faulty.py:13:12 CT503 theirs.price() ")
    assert summary == "2 errors, 1 warning in 3 workflows"


def test_findings_are_printed_as_json(check: CommandLine) -> None:
    outcome = check("check", "shop.faulty", "--json")
    assert outcome.code == 1
    assert [(one["line"], one["column"], one["code"], one["severity"]) for one in outcome.json] == [
        (8, 5, "CT208", "error"),
        (9, 12, "CT101", "error"),
        (13, 12, "CT503", "warning"),
    ]
    assert {one["file"] for one in outcome.json} == {"shop/faulty.py"}


def warned(check: CommandLine, *options: str) -> tuple[int, str]:
    Path("shop/faulty.py").write_text(CLEAN.replace("return n", "return price(n)"))
    outcome = check("check", "shop.faulty", *options)
    return outcome.code, outcome.out.splitlines()[-1]


def test_warnings_alone_exit_with_0(check: CommandLine) -> None:  # CMP38
    assert warned(check) == (0, "0 errors, 1 warning in 1 workflow")


def test_an_option_makes_untrusted_helpers_errors(check: CommandLine) -> None:  # CMP39
    assert warned(check, "--untrusted", "error") == (1, "1 error, 0 warnings in 1 workflow")


def test_an_option_trusts_a_module(check: CommandLine) -> None:  # CMP46
    trusting = "--trusted", "theirs", "--untrusted", "error"
    assert warned(check, *trusting) == (0, "0 errors, 0 warnings in 1 workflow")


def test_the_project_file_sets_trusted_modules(check: CommandLine) -> None:  # CMP39, CMP46
    Path("pyproject.toml").write_text('[tool.continuum]\nuntrusted = "error"\n')
    assert warned(check)[0] == 1
    Path("pyproject.toml").write_text('[tool.continuum]\ntrusted = ["theirs"]\nuntrusted = "error"\n')
    assert warned(check)[0] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("untrusted = 'never'", "untrusted is 'warn' or 'error'"),
        ("trusted = 'theirs'", "list of module names"),
        ("trust = ['theirs']", "takes trusted and untrusted, not trust"),
        ("trusted = [", "is not TOML"),
    ],
)
def test_an_invalid_project_file_is_a_usage_error(check: CommandLine, settings: str, message: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.continuum]\n{settings}\n")
    outcome = check("check", "shop.clean")
    assert outcome.code == 2
    assert message in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop.nowhere"], "there is no module 'shop.nowhere'"),
        (["shop/nowhere.py"], "there is no file 'shop/nowhere.py'"),
        (["shop"], "there is no module 'shop'"),
        (["shop-1"], "there is no module 'shop-1'"),
        ([], "Missing argument"),
        (["shop.broken"], "not readable as Python"),
    ],
)
def test_a_wrong_module_name_is_a_usage_error(check: CommandLine, arguments: list[str], message: str) -> None:
    Path("shop/broken.py").write_text("def (")
    outcome = check("check", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


@pytest.mark.parametrize(
    "name", ["shop/faulty.py", "./shop/faulty.py", "shop.faulty", "{here}/shop/faulty.py"]
)
def test_the_file_that_a_finding_names_can_be_checked(check: CommandLine, name: str, tmp_path: Path) -> None:
    outcome = check("check", name.format(here=tmp_path))
    assert (outcome.code, outcome.out) == (1, check("check", "shop.faulty").out)
    file, _, _ = outcome.out.partition(":")
    assert check("check", file).out == outcome.out


def test_a_file_outside_of_this_directory_is_checked_within_its_package(
    check: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "own.py").write_text(
        "import continuum\nfrom . import clean\n\n"
        "@continuum.workflow\nasync def own() -> int:\n    return print(1)\n"
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = check("check", "../shop/own.py")
    assert outcome.code == 1
    assert "shop/own.py:6:12 CT208 print()" in outcome.out
    (tmp_path / "elsewhere" / "package").mkdir()
    (tmp_path / "elsewhere" / "package" / "__init__.py").write_text(CLEAN)
    assert check("check", "package/").out == "0 errors, 0 warnings in 1 workflow\n"


def test_a_node_with_refused_code_prints_each_finding_on_a_line(check: CommandLine, tmp_path: Path) -> None:
    code = NONDETERMINISTIC.replace('raise SystemExit("nothing is executed")\n', "")
    (tmp_path / "refused_shop.py").write_text(code)
    outcome = check("run-node", "refused_shop")
    sys.modules.pop("theirs", None)
    first, second, summary = outcome.err.splitlines()
    assert outcome.code == 1
    assert first.startswith(f"{tmp_path}/refused_shop.py:7:5 CT208 print() ")
    assert second.startswith(f"{tmp_path}/refused_shop.py:8:12 CT101 datetime.datetime.now() ")
    assert summary == (
        "continuum: workflow order does what replay could not repeat; "
        "run `continuum check MODULE` for all findings"
    )


def test_the_old_spelling_of_a_label_is_an_error(check: CommandLine, tmp_path: Path) -> None:
    """The import of such a module is refused, and a check imports nothing."""
    text = CLEAN.replace("@continuum.workflow", "@continuum.workflow(version=2)")
    (tmp_path / "shop" / "old.py").write_text(text)
    outcome = check("check", "shop.old")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "shop/old.py:4:21 CT001 @workflow has no version=; write label=2 (a version is the hash of the code)",
        "1 error, 0 warnings in 1 workflow",
    ]
    (found,) = check("check", "shop.old", "--json").json
    assert (found["code"], found["severity"]) == ("CT001", "error")
