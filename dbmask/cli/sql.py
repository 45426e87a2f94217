"""``dbmask sql``."""

from __future__ import annotations

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.errors import CheckFailed, ConnectorError
from dbmask.policy import Policy

__all__ = ["command"]


@click.command("sql")
@policy_argument
@source_option
@click.argument("query")
def command(policy: str, source: str, query: str) -> None:
    """Show what the proxy would send on for QUERY; exit 3 where it refuses. --source logs in as the masked role."""
    import psycopg

    from dbmask.proxy.rewrite import Refused, Rewriter
    from dbmask.proxy.rewrite_catalog import load_catalog

    Policy.load(policy)
    try:
        with psycopg.connect(source, autocommit=True, connect_timeout=10) as connection:
            catalog, user = load_catalog(connection), connection.info.user
    except psycopg.Error:
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None
    try:
        click.echo(Rewriter(catalog).rewrite(query, catalog.path, user).sql)
    except Refused as refusal:
        raise CheckFailed(f"refused with SQLSTATE {refusal.state}: {refusal}") from None
