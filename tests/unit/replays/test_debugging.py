"""`continuum debug` with a real pdb: where it stops, and where each step leads."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.replays.debug_sessions import DEADLINE_S, SHOP, Desk, desk_in


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A run of the shop that waits for its signal: a scheduled activity, and its result."""
    with desk_in(tmp_path, monkeypatch) as desk:
        desk.record()
        yield desk


def test_a_step_over_an_await_leads_to_the_next_line_with_the_recorded_result(desk: Desk) -> None:
    session = desk.run("debug", "--at", "0", typed="n; p paid; n; c")
    assert session.stops == ["paid = await charge(amount)", "fee = 1", "return paid + fee"]
    assert "\n(Pdb) 2\n" in session.out
    assert session.code == 0, session.err


def test_no_activity_is_executed(desk: Desk) -> None:
    desk.run("debug", "--at", "0", typed="n; n; n; n; n; n; n; c")
    assert not desk.calls.exists()


def test_a_command_stops_in_the_function_that_asks_below_its_callers(desk: Desk) -> None:
    session = desk.run("debug", "--at", "0", typed="up; p amount; c")
    assert f"event 0, activity_scheduled {desk.name}.charge from pay: the code asks here" in session.out
    assert session.stops == ["paid = await charge(amount)", "paid = await pay(amount)"]
    assert "\n(Pdb) 1\n" in session.out


def test_a_result_stops_at_the_await_that_waits_for_it(desk: Desk) -> None:
    session = desk.run("debug", "--at", "1", typed="w; n; p paid; c")
    assert "event 1, activity_completed of event 0: the code waits here" in session.out
    assert session.stops[0] == "paid = await charge(amount)"
    assert session.stops[-1] == "fee = 1"
    assert "paid = await pay(amount)" in session.out
    assert "asyncio" not in session.out


def test_a_step_past_the_end_of_a_coroutine_returns_to_the_code_that_awaits_it(desk: Desk) -> None:
    session = desk.run("debug", "--at", "0", typed="n; n; n; n; p paid; c")
    assert session.stops == [
        "paid = await charge(amount)",
        "fee = 1",
        "return paid + fee",
        "return paid + fee",
        "total = paid + 1",
    ]
    assert "--Return--" in session.out
    assert "\n(Pdb) 3\n" in session.out


def test_a_return_runs_to_the_end_of_a_coroutine(desk: Desk) -> None:
    session = desk.run("debug", "--at", "0", typed="r; n; c")
    assert session.stops == ["paid = await charge(amount)", "return paid + fee", "total = paid + 1"]


def test_a_step_into_passes_over_the_engine(desk: Desk) -> None:
    session = desk.run("debug", "--at", "start", typed="s; s; s; s; s; c")
    assert session.stops[2:] == [
        "paid = await pay(amount)",
        "async def pay(amount: int) -> int:",
        "paid = await charge(amount)",
        "fee = 1",
    ]


def test_the_start_is_before_the_first_line(desk: Desk) -> None:
    session = desk.run("debug", "--at", "start", typed="p amount; n; n; n; c")
    assert "the code begins here" in session.out
    assert session.stops[-2:] == ["total = paid + 1", "word = await go.wait()"]


def test_the_end_of_a_run_that_waits_is_where_it_waits(desk: Desk) -> None:
    session = desk.run("debug", "--at", "end", typed="p total; c")
    assert "the history ends, and the code waits here" in session.out
    assert session.stops == ["word = await go.wait()"]
    assert "\n(Pdb) 4\n" in session.out
    assert session.out.endswith("the code waits for signal 'go'\n")


def test_a_breakpoint_of_the_debugger_holds_in_code_that_runs_later(desk: Desk) -> None:
    line = SHOP.splitlines().index("    total = paid + 1") + 1
    session = desk.run("debug", "--at", "0", typed=f"b {desk.name}:{line}; c; p paid; c")
    assert session.stops == ["paid = await charge(amount)", "total = paid + 1"]
    assert "\n(Pdb) 3\n" in session.out


def test_a_call_in_the_code_stops_without_a_moment(desk: Desk) -> None:
    desk.write(SHOP.replace("    total = paid + 1", "    breakpoint()\n    total = paid + 1"))
    session = desk.run("debug", typed="p paid; n; n; c")
    # Since Python 3.13 the call stops at its own line, before at the next.
    assert session.stops[-2:] == ["total = paid + 1", "word = await go.wait()"]
    assert session.stops[:-2] in ([], ["breakpoint()"])
    assert (session.code, "\n(Pdb) 3\n" in "\n" + session.out) == (0, True), session.err


def test_the_same_call_is_refused_where_no_person_debugs(desk: Desk) -> None:
    desk.write(SHOP.replace("    total = paid + 1", "    breakpoint()\n    total = paid + 1"))
    session = desk.run("replay")
    assert session.code == 1
    assert "CT209 breakpoint() waits for a person" in session.err


def test_the_debugger_that_the_user_has_chosen_is_called(desk: Desk) -> None:
    (desk.folder / "own_debugger.py").write_text("def stop():\n    print('mine')\n", encoding="utf-8")
    desk.write(SHOP.replace("    total = paid + 1", "    breakpoint()\n    total = paid + 1"))
    session = desk.run("debug", "--at", "0", also={"PYTHONBREAKPOINT": "own_debugger.stop"})
    assert session.out.count("mine\n") == 2
    assert session.code == 0, session.err


def test_a_prompt_may_read_clocks_and_files_although_the_code_may_not(desk: Desk) -> None:
    """A guard is installed, as in a node: the code itself is refused."""
    typed = "import time; p time.time() > 1; p open(__file__).readline() == '\\n'; c"
    session = desk.run("debug", "--at", "0", typed=typed)
    assert session.out.count("(Pdb) True\n") == 2, session.out
    reading = "    import time\n    time.time()  # continuum: allow CT101 - a test\n    fee = 1"
    desk.write(SHOP.replace("    fee = 1", reading))
    refused = desk.run("debug")
    assert "the code fails: DeterminismError: time.time() at " in refused.err, refused.out
    assert refused.code == 1


@pytest.mark.parametrize("at", ["0", "1", "start", "end"])
def test_quitting_ends_the_session_and_the_code_runs_no_further(desk: Desk, at: str) -> None:
    desk.write(SHOP.replace("    fee = 1", "    print('further')\n    fee = 1"))
    session = desk.run("debug", "--at", at, typed="q")
    assert (session.code, session.err.count("Traceback")) == (0, 0)
    if at != "end":
        assert "further" not in session.out


def test_quitting_at_a_breakpoint_in_the_code_ends_the_session(desk: Desk) -> None:
    text = SHOP.replace("    total = paid + 1", "    breakpoint()\n    total = paid + 1")
    desk.write(text.replace("    word = await", "    print('further')\n    word = await"))
    session = desk.run("debug", typed="q")
    assert (session.code, "further" in session.out, "Traceback" in session.err) == (0, False, False)


def test_calls_side_by_side_stop_at_the_line_that_made_them(desk: Desk) -> None:
    desk.record("pair")
    for at in ("0", "1"):
        session = desk.run("debug", "--at", at, typed="n; p both; c")
        assert session.stops[0].startswith("both = await asyncio.gather(")
        assert session.stops[1] == "return sum(both)"
        assert "\n(Pdb) [2, 4]\n" in session.out


def test_a_run_that_failed_is_shown_where_its_code_raised(desk: Desk) -> None:
    desk.record("failing")
    session = desk.run("debug", "--at", "end", typed="p parts; c")
    assert "the run fails here: KeyError: 'owed'" in session.out
    assert session.stops == ['return parts["owed"]']
    assert "{'paid': 2}" in session.out
    assert session.code == 0, session.err


def test_a_step_over_an_await_that_fails_stays_in_the_code_that_awaits(desk: Desk) -> None:
    desk.record("refused")
    session = desk.run("debug", "--at", "0", typed="n; p amount; c")
    assert session.stops == ["await refuse()", "await refuse()"]
    assert "ValueError: sold out" in session.out
    assert "\n(Pdb) 1\n" in session.out


def test_a_drift_stops_in_the_code_that_asks_for_something_else(desk: Desk) -> None:
    desk.write(SHOP.replace("paid = await charge(amount)", "paid = await order.start_child(amount)"))
    session = desk.run("debug", "--at", "end", typed="p amount; c")
    assert f"at event 0 the journal has activity_scheduled {desk.name}.charge" in session.out
    assert session.stops == ["paid = await order.start_child(amount)"]
    assert session.code == 1
    assert "does not replay: at event 0" in session.err


def test_an_event_after_the_end_is_refused(desk: Desk) -> None:
    session = desk.run("debug", "--at", "7")
    assert session.code == 2
    assert "the history ends with event 1; use `--at end`" in session.err


def test_a_history_of_an_unknown_workflow_is_refused(desk: Desk) -> None:
    desk.write(SHOP.replace('name="{name}.order"', 'name="{name}.purchase"'))
    session = desk.run("debug")
    assert session.code == 1
    assert f"no workflow named '{desk.name}.order' is defined in {desk.name}" in session.err


def test_a_session_works_on_a_terminal(desk: Desk) -> None:
    """What a person sees: prompts, and what they type."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        desk.arguments("debug", "--at", "0"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=desk.folder,
        env=desk.environment() | {"TERM": "dumb"},
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            for typed in (b"n\n", b"p paid * 21\n", b"q\n"):
                seen += _until(ours, b"(Pdb) ")
                os.write(ours, typed)
            seen += _until(ours, b"")
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()
            os.close(ours)
    assert b"-> fee = 1" in seen
    assert b"42" in seen


def _until(terminal: int, prompt: bytes) -> bytes:
    """Read from a terminal up to a prompt, or without one to the end."""
    seen = b""
    while not prompt or not seen.endswith(prompt):
        try:
            read = os.read(terminal, 4096)
        except OSError:
            return seen
        if not read:
            return seen
        seen += read
    return seen
