"""The entry point of the command line: the list of commands, and their exit codes.

Exit codes: see `EXIT_CODES`. An error is one line on stderr. If code was refused because it is not
deterministic, a line for each finding comes before it. CONTINUUM_TRACEBACK=1 prints the traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module

import click

from continuum.cli.printing import say
from continuum.errors import ContinuumError, DeterminismError
from continuum.quoting import with_short_parts, with_short_words

DONE, FAILED = 0, 1
# The exit code that shells use for a program ended by SIGINT.
INTERRUPTED = 130
EXIT_CODES = (
    "Exit codes: 0 done; 1 refused, failed, answered with no, or an operation that is not completed; "
    "2 wrong use; 130 interrupted. Checks (check, doctor, health, verify, replay) exit with 1 for findings."
)


# The module of each command. A call loads its own: the others would double the time until it is connected.
COMMANDS = {
    **dict.fromkeys(("attributes", "cancel", "result", "signal", "start"), "run_commands"),
    "audit": "audit",
    "check": "check",
    "completion": "completion",
    "contracts": "contracts",
    **dict.fromkeys(("debug", "replay"), "time_travel"),
    "demo": "demo",
    "dev": "dev",
    "doctor": "doctor",
    "explain": "explain",
    "health": "health",
    "init": "init",
    "migrate": "schema",
    "nodes": "nodes",
    "observer": "observer",
    "repair": "repair",
    "operations": "operations",
    **dict.fromkeys(("pause", "pauses", "resume"), "pauses"),
    "run-node": "node",
    "runs": "runs",
    "verify": "verify",
    "versions": "versions",
}


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"continuum.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="continuum-durable", prog_name="continuum")
def continuum() -> None:
    """Durable execution for Python: runs that survive kill -9."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        code = continuum.main(args=arguments, prog_name="continuum", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        said = with_short_parts(error.format_message(), _parts(typed))
        return _end(error, said + _hint(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe. The flush of the buffer at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except DeterminismError as error:
        return _end(error, _after_findings(error), FAILED)
    except (ContinuumError, TimeoutError) as error:
        return _end(error, str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - every error ends as one line on stderr
        text = f"{type(error).__name__}: {error}; set CONTINUUM_TRACEBACK=1 to see where"
        return _end(error, text, FAILED)
    return code if isinstance(code, int) else DONE


def _parts(typed: Sequence[str]) -> Iterator[str]:
    """Yield what was typed, and options and their values apart: click repeats all of it."""
    for word in typed:
        option, _, value = word.partition("=")
        yield from (word, option, value)


def _hint(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f" (see {error.ctx.command_path} --help)"
    return ""


def _notes(error: BaseException) -> list[str]:
    """Return what was added to an error, or to its cause: where something was looked for."""
    notes: list[str] = getattr(error, "__notes__", [])
    return notes or ([] if error.__cause__ is None else _notes(error.__cause__))


def _after_findings(error: DeterminismError) -> str:
    """Print each finding of a refused definition on a line of its own, and return the final line."""
    summary, *findings = str(error).splitlines()
    for finding in findings:
        say(finding.strip(), err=True)
    if not findings:
        return summary
    return f"{summary.rstrip(':')}; run `continuum check MODULE` for all findings"


def _end(error: Exception, text: str, code: int) -> int:
    text = "; ".join([text, *_notes(error)])
    if os.environ.get("CONTINUUM_TRACEBACK"):
        traceback.print_exception(error)
    say(f"continuum: {with_short_words(' '.join(text.split()))}", err=True)
    return code
