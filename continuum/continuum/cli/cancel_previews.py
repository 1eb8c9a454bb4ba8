"""What a request to stop, or the end of a run at once, would do to it: for a preview, and for a question."""

from __future__ import annotations

import click

from continuum.cli.changes import confirmed
from continuum.cli.database import Target, ask
from continuum.cli.printing import escaped
from continuum.cli.run_filters import OPEN_STATES
from continuum.cli.single_changes import latest_of
from continuum.client import Client, Run
from continuum.client.namespaces import InNamespace

# A question says how many children end with a run, exactly up to so many.
CHILDREN_COUNTED = 100


async def what_ends(client: Client, run: str, namespace: InNamespace) -> tuple[Run, str]:
    """Return the run that a forced cancel would end, and how many of its children would end with it."""
    latest = await latest_of(client, run, namespace)
    open_children = [("parent_run_id", "eq", latest.id), ("state", "in", OPEN_STATES)]
    page = await client.query(open_children, limit=CHILDREN_COUNTED, namespace=None, payloads=False)
    more = "more than " if page.next_cursor is not None else ""
    return latest, f"{more}{len(page.entries)}"


def confirmed_end(seen: Run, children: str) -> bool:
    """Ask whether to end a run at once."""
    question = f"End run {seen.id} of {_ending(seen, children)}?"
    return confirmed(question, f"run {seen.id} was not cancelled", yes=False)


def _ending(seen: Run, children: str) -> str:
    waits = "" if seen.reason is None else f", {seen.reason}"
    family = (
        "" if children == "0" else f", and with it {children} open children, except those started to abandon"
    )
    return f"{seen.workflow} ({seen.state}{waits}) at once, without compensation{family}"


def preview_cancel(target: Target, run: str, namespace: InNamespace, *, force: bool) -> None:
    """Print what a request to stop would do to a run; nothing is changed."""
    seen, children = ask(target, lambda client: what_ends(client, run, namespace))
    if seen.completed_at is not None:
        click.echo(f"run {seen.id} of {seen.workflow} is {seen.state}: nothing would be changed")
    elif force:
        click.echo(escaped(f"would end run {seen.id} of {_ending(seen, children)}"))
    else:
        blocked = seen.state == "blocked"
        read = "after the signals that came before, it compensates and ends"
        how = f"once it is unblocked, {read}" if blocked else read
        family = "" if children == "0" else f"; its {children} open children end as they were started to"
        who = f"run {seen.id} of {seen.workflow} ({seen.state})"
        click.echo(escaped(f"would ask {who} to stop: {how}{family}"))
