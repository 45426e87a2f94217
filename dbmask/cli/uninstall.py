"""``dbmask uninstall``."""

from __future__ import annotations

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.cli.install import role_option

__all__ = ["command"]


@click.command("uninstall")
@policy_argument
@source_option
@role_option
def command(policy: str, source: str, role: str) -> None:
    """Remove what install made for a role, and with the last role everything; give back the rights that --harden took.

    A role that install made is dropped; one that was there before stays as it was.
    """
    if source.partition(":")[0] in ("mysql", "mariadb"):
        from dbmask.proxy.mariadb import uninstall_mariadb

        gone = uninstall_mariadb(source, role)
    else:
        from dbmask.proxy.install import uninstall

        gone = uninstall(source, role)
    click.echo(f"Removed what was installed for role {role}.")
    for item in gone:
        click.echo(f"Not undone: {item}")
