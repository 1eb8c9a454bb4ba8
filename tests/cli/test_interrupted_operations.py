"""An operation whose process was killed: what `operations` and `health` say of it, and what continues it."""

from __future__ import annotations

from functools import partial

import pytest

from continuum.operations import bulk_execution
from tests.cli.changeable_server import run_fixes
from tests.cli.commands import CommandLine
from tests.cli.test_health import change, found_by, on_journal
from tests.contract.builders import begin


def stopped_one(cli: CommandLine) -> str:
    """Return the id of the only operation."""
    (listed,) = cli("operations", "list", "--json").json["entries"]
    return str(listed["id"])


def test_a_change_of_many_whose_process_was_killed_is_continued_by_the_fix(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        on_journal(cli, begin)
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)

    async def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    slept: list[float] = []

    async def sleeping(seconds: float) -> None:
        slept.append(seconds)

    sleep = partial(monkeypatch.setattr, bulk_execution.execute, "__kwdefaults__")
    sleep({"sleep": interrupted})
    stopped = cli("runs", "cancel", "--find", "workflow:orders", "--yes", "--rate", "1")
    assert stopped.code == 130
    assert ("operation-interrupted", stopped_one(cli)) not in found_by(cli, "--due-for", "60")
    change(
        cli, "update {s}.operations set leased_until = '-infinity', updated_at = now() - interval '1 minute'"
    )

    operation = stopped_one(cli)
    found = found_by(cli, "--due-for", "60")["operation-interrupted", operation]
    resume = f"continuum operations resume {operation} --schema {cli.options[3]}"
    said = f"interrupted: nobody carries it out; continue it with `{resume}`"
    assert " is interrupted after 1 run: nobody carries it out; continue it" in found["sentence"]
    listed, shown = cli("operations", "list"), cli("operations", "show", operation)
    assert ("interrupted" in listed.out, listed.err) == (True, f"operation {operation} is {said}\n")
    assert f"state\t{said}\n" in shown.out

    sleep({"sleep": sleeping})
    (fix,) = found["fixes"]
    assert cli("operations", "resume", operation, "--rate", "0").code == 1
    run_fixes(cli, cli.options[1], [f"{fix} --rate 4"])
    assert slept == [0.25, 0.25]
    shown = cli("operations", "show", operation, "--json").json
    assert (shown["state"], shown["done"], shown["rate"]) == ("completed", 3, 4.0)
    assert cli("operations", "list").err == ""
    assert ("operation-interrupted", operation) not in found_by(cli)
