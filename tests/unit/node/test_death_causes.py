"""What a process died of, as the traces on the liveness board tell it."""

from __future__ import annotations

import pytest

from continuum.engine.ids import RunId
from continuum.journal.suspect_port import UNEXPLAINED, Death, Executed
from continuum_actors.host.traces import trace_of_attempt, trace_of_code
from continuum_actors.node.death_causes import EndOfProcess, death_of, manner_of
from continuum_supervision.process.events import ProcessDied
from continuum_supervision.process.liveness import Liveness

ONE = RunId("01a22874-7167-7635-bc31-99482e3e91a5")
TWO = RunId("01a22874-6974-7adc-b81b-85cbcf94728c")
IN_LOOP = trace_of_code(ONE)
IN_THREAD = (7, trace_of_attempt(TWO, 3, 2))
ATTEMPT = Executed(TWO, 3, 2)


KILLED = EndOfProcess()


def test_code_that_the_loop_executed_alone_is_the_culprit() -> None:
    assert death_of(Liveness(1, 1.0, 1, executing=IN_LOOP), KILLED) == Death(Executed(ONE))


def test_an_activity_in_a_thread_is_suspected_of_a_signal_and_not_of_the_end_of_the_loop() -> None:
    last = Liveness(1, 1.0, 1, in_threads=(IN_THREAD,))
    assert death_of(last, KILLED) == Death(named=(ATTEMPT,))
    assert death_of(last, EndOfProcess(by_signal=False)) == UNEXPLAINED
    assert death_of(last, EndOfProcess(faulty_thread=7)) == Death(ATTEMPT)
    assert death_of(last, EndOfProcess(faulty_thread=8)) == UNEXPLAINED


def test_the_only_activity_of_an_activity_host_is_the_culprit() -> None:
    last = Liveness(1, 1.0, 1, in_threads=(IN_THREAD,))
    assert death_of(last, EndOfProcess(by_signal=False, one_at_a_time=True)) == Death(ATTEMPT)


def test_an_activity_whose_thread_ended_the_process_is_suspected_alone() -> None:
    last = Liveness(
        1, 1.0, 1, executing=IN_LOOP, in_threads=(IN_THREAD,), ended_by=IN_THREAD[1], ended_by_helper=True
    )
    assert death_of(last, KILLED) == Death(named=(ATTEMPT,))


def test_a_loop_that_hung_in_user_code_was_hung_by_it_and_by_no_thread() -> None:
    last = Liveness(1, 1.0, 1, executing=IN_LOOP, in_threads=(IN_THREAD,))
    assert death_of(last, EndOfProcess(hung=True)) == Death(Executed(ONE))


def test_a_loop_that_hung_outside_of_user_code_makes_a_thread_suspect_and_counts_nothing() -> None:
    last = Liveness(1, 1.0, 1, in_threads=(IN_THREAD,))
    assert death_of(last, EndOfProcess(hung=True)) == Death(named=(ATTEMPT,))


def test_a_suspect_on_trial_is_blamed_for_a_death_that_nothing_explains() -> None:
    assert death_of(Liveness(1, 1.0, 1), KILLED) == UNEXPLAINED
    assert death_of(Liveness(1, 1.0, 1, on_trial=IN_THREAD[1]), KILLED) == Death(ATTEMPT)


@pytest.mark.parametrize(
    ("exit_code", "hung", "manner"),
    [
        (-9, True, "it did not answer for 15 s, so it was killed"),
        (-9, False, "it was killed by SIGKILL"),
        (-99, False, "it was killed by signal 99"),
        (3, False, "it ended with exit code 3"),
        (0, False, "it ended with exit code 0"),
        (None, False, None),
    ],
)
def test_people_read_how_a_process_ended(exit_code: int | None, hung: bool, manner: str | None) -> None:
    notice = ProcessDied("host-1", "run_host", 1, 7, exit_code, Liveness(1, 1.0, 1), 1.0, hung)
    assert manner_of(notice, 15.0) == manner
