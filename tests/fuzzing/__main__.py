"""`python -m tests.fuzzing`: fuzz targets, print figures and findings, keep inputs that break something."""

from __future__ import annotations

import argparse
import sys

from tests.fuzzing import sentinels
from tests.fuzzing.fuzzing import TARGETS, fuzz, keep


def main(arguments: list[str]) -> int:
    """Fuzz; return 1 if there are findings."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing", description="Try inputs that nobody would write."
    )
    parser.add_argument(
        "--target", choices=sorted(TARGETS), action="append", help="repeatable; otherwise all"
    )
    parser.add_argument("--inputs", type=int, help="inputs for each target")
    parser.add_argument(
        "--seconds", type=float, help="seconds for each target (default: 5 unless --inputs is given)"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    seconds = 5.0 if given.seconds is None and given.inputs is None else given.seconds
    found = 0
    for name in given.target or sorted(TARGETS):
        target = TARGETS[name]()
        sentinels.install()
        report = fuzz(target, seed=given.seed, inputs=given.inputs, seconds=seconds)
        print(f"{report} (seed {given.seed})", flush=True)  # noqa: T201
        found += len(report.findings)
        for finding in report.findings.values():
            print(f"\n{finding.place}\n{finding.report}\n{finding.data!r:.600}", flush=True)  # noqa: T201
        for path in keep(report):
            print(f"kept as tests/fuzzing/corpus/{path}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
