"""A connection to the source, logged in as the masked role, by own framing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from dbmask.errors import ConnectorError
from dbmask.proxy.link import Link, Lost
from dbmask.proxy.scram import Client, ScramError
from dbmask.proxy.wire import ProtocolError, fields, frame, text

__all__ = ["Address", "Backend", "cancel", "connect"]

_CANCEL = 80877102
_SSL = 80877103
_LIMIT = 1 << 20
_CONNECT = 15.0
"""Seconds for a login."""


@dataclass(frozen=True)
class Address:
    """Where the source is and who logs in."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False, default="")
    tls: ssl.SSLContext | None = None


@dataclass
class Backend:
    """A connection that is ready for queries; ``settings`` are those it was started with."""

    link: Link
    parameters: dict[str, str]
    key: bytes
    settings: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False

    async def query(self, sql: str) -> list[list[str | None]]:
        """Run SQL of the proxy's own by the simple protocol and return its rows as text.

        Raises ConnectorError with the SQLSTATE where the source reports an error, Lost where it has gone.
        """
        self.link.write(frame(b"Q", text(sql)))
        rows: list[list[str | None]] = []
        failed = ""
        while True:
            kind, body = await self.link.frame(_LIMIT)
            if kind == b"D":
                rows.append(_values(body))
            elif kind == b"E":
                failed = fields(body).get(b"C", b"?").decode("ascii", "replace")
            elif kind == b"Z":
                if failed:
                    raise ConnectorError(f"the source reported an error (SQLSTATE {failed})")
                return rows


def _values(body: bytes) -> list[str | None]:
    (count,) = struct.unpack_from("!h", body)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode())
        at += max(size, 0)
    return values


async def _open(address: Address) -> Link:
    link = Link()
    loop = asyncio.get_running_loop()
    if address.host.startswith("/"):
        await loop.create_unix_connection(lambda: link, f"{address.host}/.s.PGSQL.{address.port}")
    else:
        await loop.create_connection(lambda: link, address.host, address.port)
    try:
        if address.tls is not None:
            link.write(struct.pack("!ii", 8, _SSL))
            if await link.exactly(1) != b"S":
                raise ConnectorError("the source does not speak TLS")
            await link.encrypt(address.tls, address.host)
    except BaseException:
        link.abort()
        raise
    return link


async def connect(address: Address, settings: Mapping[str, str]) -> Backend:
    """Log in. Raises ConnectorError, which quotes nothing of the server."""
    link = None
    try:
        async with asyncio.timeout(_CONNECT):
            link = await _open(address)
            given = {"user": address.user, "database": address.database, **settings, "client_encoding": "UTF8"}
            body = struct.pack("!i", 196608) + b"".join(text(k) + text(v) for k, v in given.items()) + b"\0"
            link.write(struct.pack("!i", len(body) + 4) + body)
            made = await _login(link, address)
            made.settings, link = settings, None
            return made
    except (OSError, TimeoutError, ProtocolError, ScramError):
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None
    finally:
        if link is not None:
            link.abort()


async def _login(link: Link, address: Address) -> Backend:
    scram, parameters, key = Client(address.password), {}, b""
    while True:
        kind, body = await link.frame(_LIMIT)
        if kind == b"R":
            answer = _answer(scram, body, address)
            if answer is not None:
                link.write(frame(b"p", answer))
        elif kind == b"S":
            name, value = body.split(b"\0")[:2]
            parameters[name.decode()] = value.decode()
        elif kind == b"K":
            key = body
        elif kind == b"Z":
            return Backend(link, parameters, key)
        elif kind == b"E":
            state = fields(body).get(b"C", b"?").decode("ascii", "replace")
            raise ConnectorError(f"the source refused the masked role (SQLSTATE {state})")


def _answer(scram: Client, body: bytes, address: Address) -> bytes | None:
    (code,) = struct.unpack("!i", body[:4])
    if code == 0:
        return None
    if code == 3 and address.tls is not None:  # never a password in clear
        return text(address.password)
    if code == 5:
        inner = hashlib.md5((address.password + address.user).encode(), usedforsecurity=False).hexdigest()
        return text("md5" + hashlib.md5(inner.encode() + body[4:8], usedforsecurity=False).hexdigest())
    if code == 10:
        first = scram.first()
        return text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first
    if code == 11:
        return scram.answer(body[4:])
    if code == 12:
        scram.check(body[4:])
        return None
    raise ProtocolError("unknown authentication")


async def cancel(address: Address, key: bytes) -> None:
    """Ask the source to cancel what the backend with this key runs; what comes too late is nobody's fault."""
    with contextlib.suppress(OSError, TimeoutError, ConnectorError, ProtocolError):
        async with asyncio.timeout(5):
            link = await _open(address)
            try:
                link.write(struct.pack("!ii", 16, _CANCEL) + key)
                with contextlib.suppress(Lost):
                    await link.exactly(1)  # the server closes once the signal is sent
            finally:
                link.abort()
