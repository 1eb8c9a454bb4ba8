"""`python -m bench [SECTION ...]`: measure, print, and write the figures."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import check
from bench.database import server
from bench.machine import machine
from bench.peers.plot import svg
from bench.peers.systems import SYSTEMS
from bench.processes import ProgramFailed
from bench.report import PICTURE, NoMeasuredPart, show, write_json, write_measured_part
from bench.sections import SECTIONS
from bench.sizes import FULL, LARGE_GROWTH, QUICK, TINY, Sizes
from continuum.errors import ContinuumError

# Where there is no terminal the table of a check is to stay whole.
LINE_WIDTH = 110
HERE = Path(__file__).resolve().parent
ORDINARY = [name for name, section in SECTIONS.items() if not section.on_request]
_ON_REQUEST = ", ".join(name for name in SECTIONS if name not in ORDINARY)
_SECTIONS_HELP = f"any of: {', '.join(SECTIONS)} (all but {_ON_REQUEST})"
_SYSTEMS = [system.name for system in SYSTEMS]
SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the engine beside a floor, in one run."
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=_SECTIONS_HELP)
    parser.add_argument("--size", choices=SIZES, default="full", help="how much work (default: full)")
    parser.add_argument(
        "--quick", action="store_const", const="quick", dest="size", help="the same as --size quick"
    )
    parser.add_argument(
        "--systems",
        type=_systems,
        default=(),
        metavar="NAME,…",
        help=f"of the section peers measure these alone: {', '.join(_SYSTEMS)} (all)",
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help=f"growth up to {LARGE_GROWTH[-1]:,} runs: some minutes more, and four gigabytes of disk",
    )
    parser.add_argument("--dsn", help="a server to measure on (default: start a durable one)")
    parser.add_argument(
        "--json", type=Path, default=HERE / "results.json", metavar="PATH", help="file for the results"
    )
    parser.add_argument(
        "--write-results",
        nargs="?",
        type=Path,
        const=HERE / "RESULTS.md",
        metavar="PATH",
        help="also rewrite the measured part of RESULTS.md",
    )
    parser.add_argument(
        "--check", action="store_true", help="compare a few figures with bench/baseline.json: about a minute"
    )
    parser.add_argument("--record-baseline", action="store_true", help="write bench/baseline.json anew")
    parser.add_argument(
        "--baseline", type=Path, default=check.BASELINE, metavar="PATH", help="another file for the two"
    )
    return parser


def main(arguments: list[str]) -> int:
    """Measure the requested sections, or compare with the recorded figures."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.check or given.record_baseline:
        return _check(given)
    names = given.sections or ORDINARY
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}; choose from {', '.join(SECTIONS)}")
    console = Console()
    sizes = replace(SIZES[given.size], systems=given.systems)
    if given.large:
        sizes = replace(sizes, growth=LARGE_GROWTH)
    try:
        results = _measure(names, sizes, given.dsn, console)
        results["command"] = _command(given.sections, given.size, large=given.large)
        show(results, console)
        write_json(results, given.json)
        if given.write_results is not None:
            write_measured_part(results, given.write_results)
        if "peers" in results["sections"]:
            beside = given.write_results or given.json
            picture = beside.with_name(PICTURE)
            picture.write_text(svg(results["sections"]["peers"]), encoding="utf-8")
            console.print(f"drawn in {picture}")
    except (ContinuumError, NoMeasuredPart) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    console.print(f"written to {given.json}")
    return 0


def _check(given: argparse.Namespace) -> int:
    console = Console(width=LINE_WIDTH)
    try:
        recorded = None if given.record_baseline else check.read_baseline(given.baseline)
        with server(given.dsn) as measured_on:
            if recorded is None:
                check.write_baseline(given.baseline, check.measured(measured_on))
                console.print(f"written to {given.baseline}")
            else:
                check.show(check.checked(measured_on, recorded, console.print), console)
    except (ContinuumError, ProgramFailed, check.NoBaseline, check.Worse) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _systems(text: str) -> tuple[str, ...]:
    """Read a list of names of systems."""
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in _SYSTEMS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no system {unknown[0]!r}; choose from {', '.join(_SYSTEMS)}"
        )
    return names


def _command(sections: list[str], size: str, *, large: bool) -> str:
    """Return the command that makes these figures, without output file and server."""
    options = [*([] if size == "full" else [f"--size {size}"]), *(["--large"] if large else [])]
    return " ".join(["python -m bench", *sections, *options])


def _measure(names: list[str], sizes: Sizes, dsn: str | None, console: Console) -> dict[str, Any]:
    sections: dict[str, Any] = {}
    with server(dsn) as measured_on:
        facts = machine(measured_on.dsn)
        for name in names:
            console.print(f"[bold]{SECTIONS[name].title}[/bold]")
            sections[name] = SECTIONS[name].measure(
                measured_on, sizes, lambda line: console.print(f"  {line}")
            )
    return {"machine": facts, "rounds": sizes.rounds, "sections": sections}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
