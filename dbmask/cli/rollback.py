"""``dbmask rollback``."""

from __future__ import annotations

import json

import click

from dbmask.cli.common import database_url, format_option

__all__ = ["command"]


@click.command("rollback")
@click.argument("target", type=database_url, metavar="TARGET")
@click.option("--to", metavar="NAME", help="Which kept replica; the latest unless given.")
@click.option("--list", "list_only", is_flag=True, help="Show what is kept, and change nothing.")
@format_option
def command(target: str, to: str | None, list_only: bool, form: str) -> None:
    """Put the previous replica back in the place of TARGET (a URL), as it was when it was replaced.

    What served till now is kept in its stead: a second rollback undoes the first. No key and no source are needed.
    """
    from dbmask.cloner.previous import previous_replicas, rollback

    if list_only:
        kept = previous_replicas(target)
        if form == "json":
            click.echo(json.dumps([{"name": k.name, "replaced": k.replaced} for k in kept], indent=2))
            return
        for one in kept:
            click.echo(f"{one.name}  replaced {one.replaced}")
        if not kept:
            click.echo("No previous replica is kept beside this target.", err=True)
        return
    back = rollback(target, to)
    if form == "json":
        click.echo(json.dumps({"restored": back.name, "replaced": back.replaced}, indent=2))
        return
    click.echo(f"The replica that was replaced at {back.replaced} serves again.")
