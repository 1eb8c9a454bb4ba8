"""`continuum health review`: a finding that a person has looked at is silent until there is news."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.port import Fault, Journal, RunState, Transition
from tests.cli.commands import CommandLine, place
from tests.cli.test_health import FACTS, NOW, change, found_by, lives, on_journal, unread_mail
from tests.contract.builders import begin, commit, owned_run, worker_of, write


def test_a_reviewed_finding_is_silent_until_it_changes(cli: CommandLine) -> None:
    on_journal(cli, lives)
    on_journal(cli, lambda journal: begin(journal, workflow="payments"))
    first = found_by(cli)["no-code", "payments"]["fingerprint"]
    done = cli("health", "review", first, "--by", "ann", *NOW)
    assert (done.code, done.out) == (0, "no-code of payments is silent until it changes\n")
    assert cli("health", "review", first, *NOW).out == "no-code of payments was silent already\n"
    on_journal(cli, lambda journal: begin(journal, workflow="payments"))
    assert found_by(cli) == {}, "another run of the same kind changes nothing"
    recorded = cli("audit", "list", "--json").out
    assert [word in recorded for word in ("review_finding", "ann", first)] == [True, True, True]
    assert "1 finding reviewed before" in cli("health", *NOW).out
    assert first in cli("health", "--all", *NOW).out
    on_journal(cli, lambda journal: begin(journal, workflow="payments", namespace="eu"))
    changed = found_by(cli)["no-code", "payments"]
    assert (changed["fingerprint"] != first, changed["count"]) == (True, 3)
    assert "in namespaces 'default', 'eu'" in changed["sentence"]


def test_a_review_of_blocked_runs_ends_when_another_one_is_blocked(cli: CommandLine) -> None:
    async def block_another(journal: Journal) -> RunId:
        worker = await worker_of(journal)
        await journal.renew([worker.id], 600.0, FACTS)
        run = await owned_run(journal, worker)
        blocked = Transition(RunState.BLOCKED, reason="drift: so", fault=Fault("drift"))
        await commit(journal, worker, write(run, transition=blocked))
        return run.id

    first = on_journal(cli, block_another)
    finding = found_by(cli)["blocked", "orders"]
    assert cli("health", "review", finding["fingerprint"], *NOW).code == 0
    assert found_by(cli) == {}
    second = on_journal(cli, block_another)
    grown = found_by(cli)["blocked", "orders"]
    assert (grown["fingerprint"], grown["count"]) == (finding["fingerprint"], 2)
    again = cli("health", "review", grown["fingerprint"], *NOW)
    assert again.out == "blocked of orders is silent until it changes\n"
    assert cli("health", "review", grown["fingerprint"], *NOW).out == "blocked of orders was silent already\n"
    for run in (second, first):
        assert found_by(cli) == {}, "fewer of them are no news"
        assert cli("cancel", run, "--force", "--yes").code == 0


def test_a_review_of_lost_wakes_lasts_while_they_become_fewer(cli: CommandLine) -> None:
    def lost() -> RunId:
        run = on_journal(cli, unread_mail)
        change(cli, f"update {{s}}.runs set due_at = null where id = '{run}'")
        return run

    first, second = lost(), lost()
    finding = found_by(cli)["lost-wake", "orders"]
    assert cli("health", "review", finding["fingerprint"], *NOW).code == 0
    assert found_by(cli) == {}
    assert cli("repair", "lost-wake", first, "--yes").code == 0
    left = cli("health", "--json", "--all", *NOW).json
    (silent,) = [each for each in left if each["code"] == "lost-wake"]
    assert (silent["reviewed"], silent["count"], silent["fingerprint"]) == (True, 1, finding["fingerprint"])

    assert cli("cancel", first, "--force", "--yes").code == 0
    lost()
    grown = found_by(cli)["lost-wake", "orders"]
    assert grown["count"] == 2, "another one is news, however long its mail lay there"
    again = cli("health", "review", grown["fingerprint"], *NOW)
    assert again.out == "lost-wake of orders is silent until it changes\n"
    assert cli("repair", "lost-wake", second, "--yes").code == 0
    assert ("lost-wake", "orders") not in found_by(cli)


def test_a_finding_that_is_not_there_is_not_reviewed(cli: CommandLine) -> None:
    outcome = cli("health", "review", "0123456789ab")
    assert outcome.code == 1
    assert outcome.err == (
        "continuum: no finding has the fingerprint '0123456789ab' now: it is gone or has changed; "
        f"`continuum health` shows what there is; looked in {place(cli)}\n"
    )
