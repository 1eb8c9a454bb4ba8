"""The loop: make an input, read it under watch, keep what broke something."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.fuzzing import sentinels
from tests.fuzzing.command_lines import CommandLines
from tests.fuzzing.frames import Cookies, Frames
from tests.fuzzing.histories import Histories, Inboxes, Snapshots
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.payloads import Payloads
from tests.fuzzing.searches import Searches
from tests.fuzzing.target import CORPUS, Target

TARGETS: dict[str, Callable[[], Target]] = {
    "command_lines": CommandLines,
    "cookies": Cookies,
    "frames": Frames,
    "histories": Histories,
    "inboxes": Inboxes,
    "payloads": Payloads,
    "searches": Searches,
    "snapshots": Snapshots,
}

# A few mutants become parents by chance, so that changes add up; this many at a time.
_PARENTS = 200
# After this many different findings a target is broken enough.
_MOST_FINDINGS = 20


@dataclass
class Finding:
    """One way in which a target broke, and the shortest input that was seen to cause it."""

    place: str
    report: str
    data: bytes

    @property
    def file_name(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:16]


@dataclass
class Report:
    """What came of fuzzing one target."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0
        return f"{self.target}: {self.inputs:,} inputs, {rate:,.0f}/s, {len(self.findings)} findings"


def finding_of(target: Target, data: bytes) -> Finding | None:
    """Read one input under watch; return how it broke the target, None if it did not."""
    try:
        with sentinels.watched():
            target.read(data)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever comes out is what this looks for
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        place = f"{type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno} {last.name}"
        return Finding(place, "".join(traceback.format_exception(error, limit=-6)), data)
    return None


def fuzz(target: Target, *, seed: int, inputs: int | None = None, seconds: float | None = None) -> Report:
    """Read the seeds, the kept inputs and then new ones until either limit."""
    report = Report(target.name)
    mutator = Mutator(seed)
    first: Sequence[bytes] = [*target.seeds(), *target.kept().values()]
    parents = list(first)
    begun = time.monotonic()
    while (inputs is None or report.inputs < inputs) and len(report.findings) < _MOST_FINDINGS:
        if report.inputs < len(first):
            data = first[report.inputs]
        else:
            data = target.mutate(mutator, mutator.random.choice(parents), parents)
        report.inputs += 1
        finding = finding_of(target, data)
        if finding is not None:
            known = report.findings.get(finding.place)
            if known is None or len(data) < len(known.data):
                report.findings[finding.place] = finding
        elif mutator.random.randrange(64) == 0:
            if len(parents) >= len(first) + _PARENTS:
                del parents[len(first) + mutator.random.randrange(_PARENTS)]
            parents.append(data)
        if report.inputs % 64 == 0 and seconds is not None and time.monotonic() - begun > seconds:
            break
    report.seconds = time.monotonic() - begun
    return report


def keep(report: Report) -> list[str]:
    """Write the findings into the corpus; return the names of the files."""
    folder = CORPUS / report.target
    for finding in report.findings.values():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / finding.file_name).write_bytes(finding.data)
    return [f"{report.target}/{finding.file_name}" for finding in report.findings.values()]
