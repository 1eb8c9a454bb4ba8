"""Play, say what happened, and exit with 1 if anything is wrong: `python -m tests.chaos --minutes 60`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from tests.chaos import stage
from tests.chaos.faults import FAULTS
from tests.chaos.play import Report, Wishes, play


def main() -> int:
    """Play once and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.2, help="seconds between two faults")
    parser.add_argument("--rate", type=float, default=15.0, help="starts a second")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--without", action="append", default=[], choices=names, help="leave a fault out")
    chosen = parser.parse_args()
    on_stage = stage.enter()
    # The first process of a namespace ignores SIGTERM otherwise, and what is open must be closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # What the client logs about every fault is no news here.
    logging.getLogger().addHandler(logging.NullHandler())
    wishes = Wishes(chosen.seed, chosen.minutes * 60, chosen.every, chosen.rate, frozenset(chosen.without))
    report = play(wishes, on_stage=on_stage)
    sys.stdout.write("\n".join(described(report, chosen.seed)) + "\n")
    return 1 if report.findings or report.broken else 0


def described(report: Report, seed: int) -> list[str]:
    """Return the report as lines."""
    total = sum(report.faults.values())
    lines = [f"seed {seed}: {total} faults, {report.restarts} restarts of nodes, {report.rows}"]
    lines += [f"  {times:5} {name}" for name, times in report.faults.most_common()]
    lines += [f"  {times:5} {name}" for name, times in sorted(report.outcomes.items())]
    lines.append(f"everything had ended {report.settled_after:.1f} s after the last fault was mended")
    lines.append(
        f"calls repeated: {dict(report.repeated_calls)}; effects repeated: {dict(report.repeated_effects)}"
    )
    if report.left_out:
        lines.append(f"left out, for want of rights: {', '.join(report.left_out)}")
    lines += [f"the play broke: {each}" for each in report.broken]
    lines += [f"FOUND: {each}" for each in report.findings[:50]]
    return lines


if __name__ == "__main__":
    sys.exit(main())
