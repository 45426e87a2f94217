"""``dbmask proxy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbmask.cli.common import policy_argument, source_option
from dbmask.errors import UsageError

if TYPE_CHECKING:
    import ssl

__all__ = ["command"]


@click.command("proxy")
@policy_argument
@source_option
@click.option("--users", required=True, metavar="FILE", help="The users file (dbmask user add).")
@click.option("--listen", default="127.0.0.1:6432", show_default=True, metavar="HOST:PORT")
@click.option("--accept-gap", multiple=True, metavar="NAME", help="Start although this gap is open.")
@click.option("--audit", is_flag=True, help="Write a JSON line for each statement to stderr.")
@click.option("--audit-log", metavar="FILE", help="Write these lines to a file instead; it is appended to.")
@click.option("--tls-cert", metavar="FILE", help="The proxy's own certificate (PEM): clients may encrypt.")
@click.option("--tls-key", metavar="FILE", help="Its private key, where the certificate's file does not hold it.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the port."
)
@click.option(
    "--metrics-port", type=click.IntRange(1, 65535), help="Serve /metrics and /healthz on this port of the host."
)
@click.option(
    "--max-connections", type=click.IntRange(1), default=500, show_default=True, help="Clients of all workers."
)
@click.option(
    "--max-message", type=click.IntRange(1, 1024), default=16, show_default=True, help="MiB of a client's message."
)
@click.option(
    "--spare", type=click.IntRange(0, 100), default=2, show_default=True, help="Connections that wait, a worker."
)
@click.option("--login-timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, help="Seconds.")
@click.option("--idle-timeout", type=click.FloatRange(0), default=3600.0, show_default=True, help="Seconds; 0: none.")
@click.option("--statement-timeout", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds; 0: none.")
@click.option(
    "--drain-timeout", type=click.FloatRange(0), default=30.0, show_default=True, help="Seconds after SIGTERM."
)
@click.option(
    "--stall-timeout", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds not reading."
)
def command(
    policy: str,
    source: str,
    users: str,
    listen: str,
    accept_gap: tuple[str, ...],
    audit: bool,
    audit_log: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    workers: int,
    metrics_port: int | None,
    max_connections: int,
    max_message: int,
    spare: int,
    login_timeout: float,
    idle_timeout: float,
    statement_timeout: float,
    stall_timeout: float,
    drain_timeout: float,
) -> None:
    """Serve masked queries over PostgreSQL's protocol (experimental).

    --source logs in as the masked role that `dbmask install` made; the database itself holds back raw values. The way to
    the source is encrypted and checked as the URL's sslmode says.
    """
    from dbmask.proxy.run import Options, run
    from dbmask.proxy.session import Limits

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError("--listen wants HOST:PORT")
    limits = Limits(max_connections, max_message << 20, login_timeout, idle_timeout, statement_timeout, stall_timeout)
    context = _certificate(tls_cert, tls_key) if tls_cert else None
    options = Options(policy, source, users, host, int(port), accept_gap, context, limits=limits)
    options.audit = audit_log or ("-" if audit else None)
    options.workers, options.metrics_port, options.drain, options.spare = workers, metrics_port, drain_timeout, spare
    status = run(options)
    if status:
        raise SystemExit(status)


def _certificate(cert: str, key: str | None) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
    except OSError:
        raise UsageError(f"{cert} and its key cannot be read as a certificate (PEM) and its private key") from None
    return context
