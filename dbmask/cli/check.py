"""``dbmask check``."""

from __future__ import annotations

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.errors import CheckFailed
from dbmask.policy import Policy
from dbmask.policy.lock import Lock
from dbmask.policy.match import kept_columns, resolve

__all__ = ["command"]


@click.command("check")
@policy_argument
@source_option
@click.option("--accept", is_flag=True, help="Record today's columns of `keep` tables in dbmask.lock.")
def command(policy: str, source: str, accept: bool) -> None:
    """Compare policy, lock file and database; list what drifted and exit 3 where anything did."""
    from contextlib import closing

    from dbmask.registry import connector_for

    loaded = Policy.load(policy)  # nothing is masked: no key is needed
    with closing(connector_for(source).source(source)) as opened:
        schema = opened.schema()
    lock = Lock.beside(loaded.path)
    if accept:
        kept = kept_columns(resolve(loaded, schema, Lock()))
        lock = lock.accepting(kept, loaded.digest)
        lock.write()
        click.echo(f"{lock.path}: {len(kept)} tables recorded", err=True)
    found = resolve(loaded, schema, lock)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if lock.digest and lock.digest != loaded.digest:
        click.echo(f"The policy has changed since {lock.path} was written", err=True)
    if found.drift or found.problems:
        raise CheckFailed("\n".join(str(p) for p in (*found.drift, *found.problems)))
    unrecorded = [n for n in kept_columns(found) if lock.columns(n) is None]
    for name in unrecorded:
        click.echo(f"Not recorded yet: {name} (run with --accept, or clone once)", err=True)
    click.echo(f"{len(found.tables)} tables: no drift")
