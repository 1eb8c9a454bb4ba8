"""What people store reaches a terminal as text: control characters do nothing, and printed commands work."""

from __future__ import annotations

import shlex
import subprocess

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis.strategies import characters, text

from continuum.cli.printing import in_lines, shown_command
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState, Transition
from continuum.journal.postgres import PostgresJournal
from continuum.journal.wait import Wait
from continuum.operations.sql_text import identifier, literal
from tests.cli.commands import CommandLine
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending

RED = "\x1b[31mred\nsecond \u202e line"
SIGNAL = "sig'nal $(false) `false` \\ \u202e\U000e0041"
WORDS = text(characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(word=WORDS)
@settings(max_examples=50)
def test_a_printed_word_of_a_command_is_the_same_word_in_a_shell(word: str) -> None:
    shown = shown_command(shlex.join(["printf", "%s", word]))
    assert shown.isprintable()
    assert subprocess.run(["bash", "-c", shown], capture_output=True, check=True).stdout == word.encode()


@pytest.mark.parametrize("words", ["it's", 'a"b', "\\ \x1b[31m", "\u202e'\\", '\U000e0041"\n', "\\u0041\t"])
def test_texts_in_sql_are_printable_and_mean_the_same(dsn: str, words: str) -> None:
    said, name = literal(words), identifier(f"x{words}")
    assert (said + name).isprintable()
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(f"select {said} as {name}".encode())
        assert cursor.description is not None
        assert (cursor.fetchone(), cursor.description[0].name) == ((words,), f"x{words}")


@given(words=WORDS)
def test_lines_of_a_text_have_only_printable_characters(words: str) -> None:
    assert all(line.isprintable() for line in in_lines(words).split("\n"))


@pytest.fixture
def failed(cli: CommandLine) -> str:
    """A run that failed with control characters in its message and traceback."""
    run_id = started(cli)

    async def failing(journal: PostgresJournal) -> None:
        error = pack_body(("ValueError", RED, f"Traceback:\n{RED}"))
        await Ending(journal).write(run_id, Transition(RunState.FAILED, error=error))

    on_journal(cli, failing)
    return run_id


@pytest.mark.parametrize("command", ["runs list", "runs show {}", "explain {}", "result {}"])
def test_no_control_character_of_a_failure_reaches_the_terminal(
    cli: CommandLine, failed: str, command: str
) -> None:
    done = cli(*command.format(failed).split())
    # `explain` leaves such characters out.
    assert ("[31mred" if "explain" in command else "\\x1b[31mred") in done.out + done.err
    assert all(line.isprintable() for line in (done.out + done.err).replace("\t", "\n").split("\n"))


def test_the_command_for_a_signal_with_an_odd_name_sends_that_signal(cli: CommandLine) -> None:
    run_id = started(cli)

    async def waiting(journal: PostgresJournal) -> None:
        waits = [Wait("signal", 0, SIGNAL, journal.now(), None, "shop.py:1")]
        await Ending(journal).write(run_id, Transition(RunState.SUSPENDED, None, True, waits=waits))

    on_journal(cli, waiting)
    (line,) = [line for line in cli("explain", run_id).out.splitlines() if " continuum signal " in line]
    assert line.isprintable()
    command = line.partition("fix       continuum ")[2].partition("   (")[0].replace("VALUE", "1")
    words: list[str] = (
        subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True)
        .stdout.decode()
        .split("\0")[:-1]
    )
    at = words.index("--") if "--" in words else len(words)
    assert cli.bare(*words[:at], *cli.options[:2], *words[at:]).code == 0
    assert cli("runs", "show", run_id, "--json").json["unread"]["signals"] == {SIGNAL: 1}
