"""``dbmask materialize``."""

from __future__ import annotations

import click

from dbmask.cli.common import key_option, load_policy, policy_argument, source_option
from dbmask.cli.install import role_option

__all__ = ["command"]


@click.command("materialize")
@policy_argument
@source_option
@role_option
@key_option
def command(policy: str, source: str, role: str, key_file: str | None) -> None:
    """Bring up to date what installed views show of masks that run in Python (`leftover: materialize`).

    Rows that are new or changed are masked, rows that are gone are purged. Until then views show the placeholder.
    """
    from dbmask.proxy.side_refresh import refresh_side_tables

    loaded, keys = load_policy(policy, key_file)
    for done in refresh_side_tables(loaded, source, role, keys=keys):
        refused = f", {done.refused:,} refused by a mask and shown as the placeholder" if done.refused else ""
        click.echo(f"{done.table}: {done.masked:,} rows masked, {done.purged:,} purged{refused}.")
