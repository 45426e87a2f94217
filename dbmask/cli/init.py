"""``dbmask init``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from dbmask.cli.common import database_url
from dbmask.errors import UsageError

__all__ = ["command"]


@click.command("init")
@click.argument("source", type=database_url, metavar="URL")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Where to write it.  [default: stdout]"
)
def command(source: str, output: str | None) -> None:
    """Read a schema and a sample of its rows, and draft a policy with a reason beside every line.

    What nothing is known about is masked; what no mask fits is left out, so that the draft stops until you decide.
    """
    from dbmask.discover import draft_policy, propose
    from dbmask.registry import connector_for

    path = Path(output) if output else None
    if path is not None and path.exists():
        raise UsageError(f"{path} exists already: name another file with -o")
    with closing(connector_for(source).source(source)) as opened:
        found = propose(opened)
    text = draft_policy(found)
    if path is None:
        click.echo(text, nl=False)
    else:
        try:
            with path.open("x", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    columns = [c for table in found.tables.values() for c in table]
    masked = sum(c.mask not in (None, "keep", "recompute") for c in columns)
    open_ = sum(c.mask is None for c in columns)
    click.echo(f"{len(found.tables)} tables, {len(columns)} columns: {masked} masked, {open_} to decide", err=True)
