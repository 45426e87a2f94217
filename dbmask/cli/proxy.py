"""``dbmask proxy``."""

from __future__ import annotations

import asyncio
import signal

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.errors import CheckFailed, ConnectorError, UsageError
from dbmask.policy import Policy

__all__ = ["command"]


@click.command("proxy")
@policy_argument
@source_option
@click.option("--users", required=True, metavar="FILE", help="The users file (dbmask user add).")
@click.option("--listen", default="127.0.0.1:6432", show_default=True, metavar="HOST:PORT")
@click.option("--accept-gap", multiple=True, metavar="NAME", help="Start although this gap is open.")
@click.option("--audit", is_flag=True, help="Write a JSON line for each statement to stderr.")
@click.option("--tls-cert", metavar="FILE")
@click.option("--tls-key", metavar="FILE")
def command(
    policy: str,
    source: str,
    users: str,
    listen: str,
    accept_gap: tuple[str, ...],
    audit: bool,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Serve masked queries over PostgreSQL's protocol; --source logs in as the masked role of `dbmask install`."""
    import ssl

    import psycopg

    from dbmask.proxy.backend import Address
    from dbmask.proxy.catalog import installation
    from dbmask.proxy.gaps import open_gaps
    from dbmask.proxy.rewrite import Rewriter
    from dbmask.proxy.rewrite_catalog import load_catalog
    from dbmask.proxy.server import Proxy
    from dbmask.proxy.users import read_users

    loaded, known = Policy.load(policy), read_users(users)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError("--listen wants HOST:PORT")
    try:
        with psycopg.connect(source, autocommit=True, connect_timeout=10) as connection:
            info = connection.info
            there = installation(connection)
            if there is None or there.policy != loaded.digest:
                raise CheckFailed("this policy is not what is installed for the role: run `dbmask install`")
            gaps = [g for g in open_gaps(connection, info.user) if g.name not in accept_gap]
            if gaps:
                listed = "\n".join(f"  {g.name}: {g.statement}" for g in gaps)
                raise CheckFailed(
                    f"the role could get around its views; close these, or name them by --accept-gap:\n{listed}"
                )
            catalog = load_catalog(connection)
            address = Address(info.host, info.port, info.user, info.dbname, info.password)
    except psycopg.Error:
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None
    context = None
    if tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls_cert, tls_key)
    asyncio.run(_serve(Proxy(address, known, Rewriter(catalog), tls=context, audit=audit), host, int(port)))


async def _serve(proxy: object, host: str, port: int) -> None:
    from dbmask.proxy.server import Proxy

    assert isinstance(proxy, Proxy)  # noqa: S101
    server = await proxy.serve(host, port)
    click.echo(f"Listening on {host}:{port}", err=True)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    server.close()
    for _ in range(300):
        if not proxy.sessions:
            break
        await asyncio.sleep(0.1)
