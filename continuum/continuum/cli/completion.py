"""`continuum completion`: the script that makes a shell complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "continuum"
# The script asks the program through this variable.
VARIABLE = "_CONTINUUM_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes commands, options, their values, ids and names.

    \b
    bash: echo 'eval "$(continuum completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(continuum completion zsh)"' >> ~/.zshrc
    fish: continuum completion fish > ~/.config/fish/completions/continuum.fish
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    click.echo(found(context.find_root().command, {}, PROGRAM, VARIABLE).source())
