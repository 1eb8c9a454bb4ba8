"""`continuum demo`."""

from __future__ import annotations

import click


@click.command(short_help="Run 200 orders and kill processes in the middle.")
@click.pass_context
def demo(context: click.Context) -> None:
    """Run 200 orders, kill processes in the middle, and count lost orders."""
    # Import late: the demo imports the whole node.
    from continuum.demo import main

    context.exit(main())
