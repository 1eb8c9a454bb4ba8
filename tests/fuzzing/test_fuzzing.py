"""What reads from outside withstands what nobody would write: kept inputs, and a minute of new ones."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fuzzing.fuzzing import TARGETS
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import CORPUS

ROOT = Path(__file__).parents[2]
SECONDS = 6

# A reader with all the faults that this is to find; it runs in a process of its own, like every target.
_BROKEN_READER = """
import pickle
from tests.fuzzing import sentinels
from tests.fuzzing.fuzzing import finding_of
from tests.fuzzing.target import Target

class Reader(Target):
    name = "reader"
    def seeds(self):
        return [b""]
    def read(self, data):
        try:
            match data[:1]:
                case b"e": raise KeyError("undocumented")
                case b"p": pickle.loads(data[1:])
                case b"m": bytearray(1 << 40)
                case b"h":
                    while True: pass
        except Exception as error:
            if data[:1] == b"e":
                raise
            if isinstance(error, MemoryError):
                raise

sentinels.install()
sentinels.INPUT_CPU_S = 0.2
import sys
finding = finding_of(Reader(), sys.stdin.buffer.read())
print(finding.place.partition(" ")[0] if finding else "nothing")
"""


class RunsCode:
    """Its pickle calls a function when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def in_a_process(arguments: Sequence[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, input=data, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"fine", "nothing"),
        (b"e", "KeyError"),
        (b"p" + pickle.dumps(RunsCode()), "CodeRan"),
        (b"m", "MemoryError"),
        (b"h", "TookTooLong"),
    ],
)
def test_a_reader_that_breaks_is_found(data: bytes, found: str) -> None:
    done = in_a_process(["-c", _BROKEN_READER], data)
    assert done.stdout.decode().strip() == found, done.stderr.decode()


def test_the_same_seed_makes_the_same_inputs() -> None:
    seeds = [b"one", b"another input", b"\x01\x92\x90\x80"]
    made = [[mutator.bytes_of(seeds[1], seeds) for _ in range(50)] for mutator in (Mutator(7), Mutator(7))]
    assert made[0] == made[1]


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_an_input_that_once_broke_a_reader_breaks_it_no_more(name: str) -> None:
    target = TARGETS[name]()
    kept = target.kept()
    assert kept
    for data in kept.values():
        target.read(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_new_inputs_run_no_code_and_get_an_answer_that_is_documented(name: str) -> None:
    done = in_a_process(["-m", "tests.fuzzing", "--target", name, "--seconds", str(SECONDS), "--seed", "1"])
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
