"""``dbmask install``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbmask.cli.common import format_option, key_option, load_policy, policy_argument, source_option
from dbmask.errors import UsageError

if TYPE_CHECKING:
    from dbmask.proxy.install import Installed

__all__ = ["command", "role_option"]

role_option = click.option("--role", required=True, metavar="ROLE", help="The masked role: one for each policy.")


@click.command("install")
@policy_argument
@source_option
@role_option
@click.option(
    "--password-file",
    metavar="FILE",
    help="A file with the role's password; without one it has none, or the one it had.",
)
@click.option(
    "--harden", is_flag=True, help="Close every gap that PUBLIC's rights leave, and give them to the roles that exist."
)
@click.option(
    "--no-fill", is_flag=True, help="Leave side tables to `dbmask materialize`; views show placeholders until then."
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be made, and what stands against it; nothing stays (PostgreSQL)."
)
@format_option
@key_option
def command(
    policy: str,
    source: str,
    role: str,
    password_file: str | None,
    harden: bool,
    no_fill: bool,
    dry_run: bool,
    form: str,
    key_file: str | None,
) -> None:
    """Install masked views in a source, with a role that can read nothing else.

    Everything is made in one transaction and made anew by the next run; `dbmask uninstall` removes it without a trace.
    Each right by which the role could get around its views is listed with the statement that takes it away.
    """
    loaded, keys = load_policy(policy, key_file)
    password = None if password_file is None else _password(password_file)
    if source.partition(":")[0] in ("mysql", "mariadb"):
        from dbmask.proxy.mariadb import install_mariadb

        if harden or dry_run:
            raise UsageError(f"--{'harden' if harden else 'dry-run'} is for PostgreSQL alone")
        done = install_mariadb(loaded, source, role, keys=keys, password=password)
    else:
        from dbmask.proxy.install import install
        from dbmask.proxy.side_refresh import refresh_side_tables

        done = install(loaded, source, role, keys=keys, password=password, harden=harden, dry_run=dry_run)
        if done.sides and not (no_fill or dry_run):
            refresh_side_tables(loaded, source, role, keys=keys)
    for warning in done.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if form == "json":
        click.echo(json.dumps(_facts(done), indent=2))
    else:
        _say(done, no_fill, dry_run)


def _password(path: str) -> str:
    try:
        text = Path(path).expanduser().read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"the password file {path} cannot be read: {reason}") from None
    if not text:
        raise UsageError(f"the password file {path} is empty")
    return text


def _facts(done: Installed) -> dict[str, object]:
    return {
        "role": done.role,
        "made_role": done.made_role,
        "owner": done.owner,
        "search_path": list(done.search_path),
        "views": list(done.views),
        "side_tables": dict(done.sides),
        "warnings": [str(w) for w in done.warnings],
        "gaps": [{"name": g.name, "what": g.what, "statement": g.statement} for g in done.gaps],
        "generation": done.generation,
    }


def _say(done: Installed, no_fill: bool, dry_run: bool) -> None:
    if dry_run:
        click.echo("Nothing was changed. An install would make:")
    click.echo(f"{len(done.views)} masked views for role {done.role}{' (made)' if done.made_role else ''}.")
    if done.sides and no_fill:
        click.echo(f"{len(done.sides)} side tables are to be filled: dbmask materialize.")
    if not done.gaps:
        click.echo("No gaps: the role can read its masked views and nothing else.")
        return
    click.echo(
        f"{len(done.gaps)} gaps, by which the role could get around its views; close them, or install with --harden:"
    )
    for gap in done.gaps:
        click.echo(f"  {gap.what}\n    {gap.statement}")
