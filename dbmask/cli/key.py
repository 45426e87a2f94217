"""``dbmask key new``."""

from __future__ import annotations

import click

from dbmask.keys import new_key

__all__ = ["command"]


@click.group("key")
def command() -> None:
    """Make a masking key."""


@command.command("new")
def new() -> None:
    """Print a fresh key of 32 random bytes: `dbmask key new > mask.key`, then --key-file mask.key."""
    click.echo(new_key())
