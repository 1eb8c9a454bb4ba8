"""What `continuum dev` prints: few lines, each with its time, for a terminal or a pipe."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from continuum.development.check_records import LOOKED_AT_RUNS, CheckedModules, CheckedOpenRuns

# A screen has room for so many; the number of all is said.
NAMED_RUNS = 10
NAMED_DEFINITIONS = 8
_INDENT = " " * 10


class Display:
    """Prints what happens. Texts of the user's are never read as markup."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, modules: Sequence[str]) -> None:
        """Say what is served."""
        self._line(Text.assemble(("continuum dev ", "bold"), " ".join(modules)))

    def place(self, name: str, where: str) -> None:
        """Say where a part is."""
        self._line(Text.assemble((f"  {name:<9} ", "dim"), where))

    def definitions(self, checked: CheckedModules) -> None:
        """Say what the modules define."""
        for kind, names in (("workflows", checked.workflows), ("activities", checked.activities)):
            rest = len(names) - NAMED_DEFINITIONS
            more = f" and {rest} more" if rest > 0 else ""
            self.place(kind, (", ".join(names[:NAMED_DEFINITIONS]) or "none") + more)

    def ready(self, seconds: float) -> None:
        """Say that it serves, and how to end it."""
        self._line(Text(f"ready in {seconds:.1f} s; a save restarts it, Ctrl-C stops it", style="green"))

    def saved(self, files: Sequence[str]) -> None:
        """Say which files were saved."""
        names = ", ".join(os.path.relpath(file) for file in files[:3])
        self._at(Text(f"saved {names}{' and more' if len(files) > 3 else ''}"))

    def restarted(self, seconds: float, checked: CheckedModules) -> None:
        """Say that the new code is served."""
        count = len(checked.workflows)
        self._at(
            Text(
                f"serving the new code after {seconds:.1f} s: {count} workflow{'' if count == 1 else 's'}",
                style="green",
            )
        )

    def unchanged(self) -> None:
        """Say that a save changed no code."""
        self._at(Text("the code is the same: nothing restarts", style="dim"))

    def warnings(self, found: Sequence[str]) -> None:
        """Show what the scan of the code warns of."""
        for each in found:
            self._at(Text(f"warning: {each}", style="yellow"))

    def refused(self, error: str, *, serving: bool) -> None:
        """Show why code is not served, and what is."""
        stays = "the code before stays in service" if serving else "nothing is served until a save mends it"
        first, *rest = error.splitlines() or [""]
        self._at(Text.assemble(("not loaded: ", "bold red"), first))
        for line in (*rest, stays):
            self._line(Text(f"{_INDENT}{line}"))

    def open_runs(self, checked: CheckedOpenRuns) -> None:
        """Name the open runs that would not continue, with the reason of each, and each suggestion once."""
        left = checked.left
        if checked.looked_at >= LOOKED_AT_RUNS:
            self._at(Text(f"only {checked.looked_at} open runs were looked at", style="dim"))
        if not left:
            return
        count = f"{len(left)} open run{'' if len(left) == 1 else 's'}"
        self._at(Text(f"{count} would not continue with this code:", style="yellow"))
        for run in left[:NAMED_RUNS]:
            self._line(Text.assemble(_INDENT, (run.run_id, "bold"), f" {run.workflow}: {run.reason}"))
        if len(left) > NAMED_RUNS:
            self._line(Text(f"{_INDENT}and {len(left) - NAMED_RUNS} more"))
        for suggestion in dict.fromkeys(run.suggestion for run in left if run.suggestion):
            self._line(Text(f"{_INDENT}suggested, so that old runs continue:"))
            for line in suggestion.splitlines():
                self._line(Text(f"{_INDENT}  {line}", style="dim"))

    def note(self, text: str) -> None:
        """Say something else that happened."""
        self._at(Text(text))

    def _at(self, text: Text) -> None:
        clock = datetime.fromtimestamp(time.time()).astimezone().strftime("%H:%M:%S")
        self._line(Text.assemble((f"{clock}  ", "dim"), text))

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
        self._console.file.flush()
