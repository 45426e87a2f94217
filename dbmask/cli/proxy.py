"""``dbmask proxy``."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.errors import UsageError
from dbmask.policy import Policy

if TYPE_CHECKING:
    from dbmask.proxy.server import Proxy

__all__ = ["command"]


@click.command("proxy")
@policy_argument
@source_option
@click.option("--users", required=True, metavar="FILE", help="The users file (dbmask user add).")
@click.option("--listen", default="127.0.0.1:6432", show_default=True, metavar="HOST:PORT")
@click.option("--accept-gap", multiple=True, metavar="NAME", help="Start although this gap is open.")
@click.option("--audit", is_flag=True, help="Write a JSON line for each statement to stderr.")
@click.option("--tls-cert", metavar="FILE", help="The proxy's own certificate (PEM): clients may encrypt.")
@click.option("--tls-key", metavar="FILE", help="Its private key, where the certificate's file does not hold it.")
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
    """Serve masked queries over PostgreSQL's protocol (experimental).

    --source logs in as the masked role that `dbmask install` made; the database itself holds back raw values. The way to
    the source is encrypted and checked as the URL's sslmode says.
    """
    import ssl

    from dbmask.proxy.audit import Log
    from dbmask.proxy.metrics import Numbers
    from dbmask.proxy.rewrite_cache import CachedRewriter
    from dbmask.proxy.server import Proxy
    from dbmask.proxy.source import look_at_source
    from dbmask.proxy.users import read_users

    loaded, known = Policy.load(policy), read_users(users)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError("--listen wants HOST:PORT")
    context = None
    if tls_cert:
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls_cert, tls_key)
        except OSError:
            raise UsageError(
                f"{tls_cert} and its key cannot be read as a certificate (PEM) and its private key"
            ) from None
    address, catalog = look_at_source(loaded, source, accept_gap)
    log = Log(sys.stderr.write) if audit else None
    asyncio.run(
        _serve(
            Proxy(address, known, CachedRewriter(catalog, Numbers().of(0), audit), tls=context, log=log),
            host,
            int(port),
        )
    )


async def _serve(proxy: Proxy, host: str, port: int) -> None:
    try:
        server = await proxy.serve(host, port)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    click.echo(f"Listening on {host}:{server.sockets[0].getsockname()[1]}", err=True)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await proxy.drain(30)
