"""The rules: what may not be in workflow code, why, and what to write instead.

Codes are stable: an allowance (`# continuum: allow CT101`) and a script that reads `continuum check`
name them. Code in backticks after "use" is accepted by the scanner; a test proves it.
`denied_names.py` lists the names that fall under each rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from continuum.scanner.findings import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of hazard: `what` describes the offending code, `instead` what to write in its place."""

    code: str
    title: str
    what: str
    instead: str
    severity: Severity = Severity.ERROR


CLOCK = Rule("CT101", "clocks", "reads a clock, which replay cannot repeat", "use `continuum.now()`")
RANDOM = Rule(
    "CT102",
    "randomness",
    "is random, which replay cannot repeat",
    "use `continuum.random()`, or `random.Random(continuum.random())` for choices and shuffles",
)
UUID = Rule("CT103", "fresh ids", "makes a fresh id, which replay cannot repeat", "use `continuum.uuid4()`")
ENVIRONMENT = Rule(
    "CT104",
    "environment, process and host",
    "differs between processes and hosts",
    "read it before the start and pass it as input, or use `continuum.side_effect(read)`",
)
TIME_ZONE = Rule(
    "CT105",
    "the local time zone",
    "depends on the time zone of the host",
    "name the zone: use `datetime.fromtimestamp(seconds, UTC)` or `moment.astimezone(UTC)`",
)
IDENTITY = Rule(
    "CT106",
    "id() and hash()",
    "differs between processes",
    "use `continuum.uuid4()` for an identity, `hashlib.sha256(data).hexdigest()` for a digest",
)
FILES = Rule(
    "CT201",
    "files",
    "touches the file system",
    "do it in an @activity, or use `continuum.side_effect(read)` for a quick read",
)
NETWORK = Rule("CT202", "sockets and HTTP", "talks to the network", "do it in an @activity")
DATABASE = Rule("CT203", "databases", "talks to a database", "do it in an @activity")
SUBPROCESS = Rule("CT204", "subprocesses", "acts on other processes", "do it in an @activity")
THREADS = Rule(
    "CT205",
    "threads and executors",
    "leaves the workflow's own loop",
    "do it in an @activity, or use `asyncio.create_task(step(1))` for work side by side",
)
ASYNCIO = Rule(
    "CT206",
    "asyncio outside the workflow's loop",
    "reaches outside the workflow's loop",
    "do it in an @activity",
)
SLEEP = Rule("CT207", "blocking sleep", "blocks and is not durable", "use `await continuum.sleep(1)`")
OUTPUT = Rule(
    "CT208", "print and logging", "repeats its output at every replay", "use `continuum.log.info('text')`"
)
INPUT = Rule(
    "CT209",
    "input and debuggers",
    "waits for a person at a terminal",
    "use `await continuum.wait_signal('answer')`",
)
CLIENT = Rule(
    "CT210",
    "the engine's client",
    "acts on runs from outside, which is not journaled",
    "use `await child(1)` for another workflow, or do it in an @activity",
)
GLOBAL_WRITE = Rule(
    "CT301",
    "global state, written",
    "changes state that outlives the run and is not journaled",
    "keep it in a local variable, pass it on, and return it",
)
GLOBAL_READ = Rule(
    "CT302",
    "global state, read",
    "is state that outlives the run and changes",
    "make it in the workflow, pass it as input, or use `continuum.side_effect(read)`",
)
SET_ORDER = Rule(
    "CT303",
    "the order of a set",
    "follows the order of a set, which differs between processes",
    "use `sorted(names)`, or a list or dict, which keep their order",
)
SWALLOWED = Rule(
    "CT401",
    "swallowed engine exceptions",
    "around an effect swallows the exceptions by which the engine controls the run",
    "catch `Exception`, or end the handler with a bare `raise`",
)
CANCELLATION = Rule(
    "CT402",
    "swallowed cancellation",
    "around an effect keeps the run from being cancelled",
    "end the handler with a bare `raise`",
    Severity.WARNING,
)
FINALLY = Rule(
    "CT403",
    "leaving a finally block",
    "in a finally block swallows the exceptions by which the engine controls the run",
    "leave the function after the try statement",
)
NESTED_EFFECT = Rule(
    "CT404",
    "effects inside side_effect",
    "is an effect inside continuum.side_effect, which cannot be journaled",
    "do it before, and only read in the producer",
)
UNDECLARED_SIGNAL = Rule(
    "CT405",
    "undeclared signals",
    "is not among the signals this workflow declares, so it can never arrive",
    "add it to signals=[...]",
)
NOTHING_TO_UNDO = Rule(
    "CT406",
    "compensate_all without compensation",
    "has nothing to undo: no activity of this workflow has a compensation",
    "use `step.options(compensate=undo.bind(1))`, or compensate=None where there is nothing to undo",
    Severity.WARNING,
)
NEVER_AWAITED = Rule(
    "CT407",
    "forgotten await",
    "is never awaited, so it never happens",
    "write `await step(1)`",
)
DYNAMIC_CODE = Rule(
    "CT501", "dynamic code", "runs code that is not in the text", "call the function by its name"
)
RUNTIME_VALUE = Rule(
    "CT502",
    "calls of runtime values",
    "calls a value that comes from input",
    "call functions by their names, or annotate the parameter with its class",
    Severity.WARNING,
)
UNTRUSTED = Rule(
    "CT503",
    "helpers in other modules",
    "is unchecked code of another module",
    "mark it @continuum.pure, make it an @activity, or trust its module (trusted=[...])",
    Severity.WARNING,
)

RULES = (
    *(CLOCK, RANDOM, UUID, ENVIRONMENT, TIME_ZONE, IDENTITY),
    *(FILES, NETWORK, DATABASE, SUBPROCESS, THREADS, ASYNCIO, SLEEP, OUTPUT, INPUT, CLIENT),
    *(GLOBAL_WRITE, GLOBAL_READ, SET_ORDER),
    *(SWALLOWED, CANCELLATION, FINALLY, NESTED_EFFECT, UNDECLARED_SIGNAL, NOTHING_TO_UNDO),
    NEVER_AWAITED,
    *(DYNAMIC_CODE, RUNTIME_VALUE, UNTRUSTED),
)

# What a producer of side_effect may do: reads that are impure but quick.
READS = frozenset((CLOCK, RANDOM, UUID, ENVIRONMENT, TIME_ZONE, IDENTITY, FILES, GLOBAL_READ, SET_ORDER))
