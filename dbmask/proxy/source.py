"""What the proxy stands before: the source, looked at as the masked role before anybody is served."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dbmask.errors import CheckFailed, ConnectorError
from dbmask.proxy.backend import Address
from dbmask.proxy.catalog import installation
from dbmask.proxy.gaps import open_gaps, readable_beyond_views
from dbmask.proxy.rewrite_catalog import Catalog, load_catalog
from dbmask.proxy.watch import INSTALLED_SQL, STRUCTURE_SQL, State

if TYPE_CHECKING:
    import psycopg

    from dbmask.policy import Policy

__all__ = ["look_at_source", "read_state"]


def look_at_source(policy: Policy, url: str, accepted: Collection[str] = ()) -> tuple[Address, Catalog]:
    """Log in as the masked role of ``url``; where it is and what its views are.

    Raises CheckFailed where the policy is not the one installed, where a gap is open that ``accepted`` does not name, and
    where the role can read a relation beyond its views; ConnectorError where the source cannot be reached.
    """
    import psycopg

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            there = installation(connection)
            if there is None or there.policy != policy.digest:
                raise CheckFailed("this policy is not what is installed for the role: run `dbmask install`")
            _require_closed(connection, set(accepted))
            return _address(connection), load_catalog(connection)
    except psycopg.Error:
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None


def read_state(url: str) -> State:
    """What :class:`dbmask.proxy.watch.Watch` compares with later; taken before the source is looked at. Raises ConnectorError."""
    import psycopg

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            there = installation(connection)
            installed = connection.execute(INSTALLED_SQL).fetchone() if there else None
            return State(tuple(installed or ()), tuple(connection.execute(STRUCTURE_SQL.encode()).fetchone() or ()))
    except psycopg.Error:
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None


def _require_closed(connection: psycopg.Connection[Any], accepted: set[str]) -> None:
    role = connection.info.user
    found = list(open_gaps(connection, role))
    gaps = [gap for gap in found if gap.name not in accepted]
    if gaps:
        listed = "\n".join(f"  {gap.name}: {gap.statement}" for gap in gaps)
        raise CheckFailed(f"the role could get around its views; close these, or name them by --accept-gap:\n{listed}")
    # The catalogs may say one thing and a SELECT another: every relation is tried as well.
    readable = sorted(set(readable_beyond_views(connection, role)).difference(gap.object for gap in found))
    if readable:
        raise CheckFailed(f"the role can read more than its masked views: {', '.join(readable)}")


def _address(connection: psycopg.Connection[Any]) -> Address:
    """Where clients' backends log in: encrypted where this connection is, and checked as far as its URL asks for it."""
    info = connection.info
    asked = info.get_parameters()
    context = None
    if connection.pgconn.ssl_in_use:
        mode, root = asked.get("sslmode", "prefer"), asked.get("sslrootcert")
        context = ssl.create_default_context(cafile=root if root and root != "system" else None)
        context.check_hostname = mode == "verify-full"
        if mode not in (
            "verify-full",
            "verify-ca",
        ):  # libpq's own meaning of require and prefer: encrypted, not checked
            context.verify_mode = ssl.CERT_NONE
        if "sslcert" in asked:
            context.load_cert_chain(asked["sslcert"], asked.get("sslkey"))
    return Address(info.host, info.port, info.user, info.dbname, info.password, context)
