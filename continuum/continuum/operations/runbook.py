"""The runbook: a section for each code of a cause, made from the table of codes.

`python -m continuum.operations.runbook > docs/runbook.md` writes it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from continuum.operations.causes import CAUSES

_INTRODUCTION = """\
# Runbook

A run does not continue, and you want to know why:

```sh
continuum explain RUN
```

It prints what holds the run, since when, who ends that and when, and the commands that help. It needs
no workflow code, changes nothing, and works while no node runs. With `--json` it prints the same as
data; in a program it is `await run.explain()`. The first cause is what holds the run now; the others
are what it waits for besides. A run that waits for a child is followed down to what holds the child.

Each section here is one code of a cause."""


def runbook() -> str:
    """Return the text of the runbook."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for code, cause in CAUSES.items():
        yield f"\n## {cause.symptom}\n"
        yield f"`{code}`\n"
        yield f"{cause.meaning}\n"
        yield f"- **Ends by:** {cause.wakes}"
        yield f"- **What to do:** {cause.way_out}"


if __name__ == "__main__":
    sys.stdout.write(runbook())
