"""A connection to the source, logged in as the masked role, by own framing."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import struct
from dataclasses import dataclass, field

from dbmask.errors import ConnectorError
from dbmask.proxy.scram import Client, ScramError
from dbmask.proxy.wire import ProtocolError, fields, frame, read_frame, text

__all__ = ["Address", "Backend", "cancel", "connect"]

_CANCEL = 80877102
_SSL = 80877103
_LIMIT = 1 << 20


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
    """A connection that is ready for queries."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parameters: dict[str, str]
    key: bytes


async def _open(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    if address.tls is not None:
        writer.write(struct.pack("!ii", 8, _SSL))
        if await reader.readexactly(1) != b"S":
            writer.close()
            raise ConnectorError("the source does not speak TLS")
        await writer.start_tls(address.tls, server_hostname=address.host)
    return reader, writer


async def connect(address: Address, settings: dict[str, str]) -> Backend:
    """Log in. Raises ConnectorError, which quotes nothing of the server."""
    try:
        async with asyncio.timeout(15):
            reader, writer = await _open(address)
            given = {"user": address.user, "database": address.database, **settings, "client_encoding": "UTF8"}
            body = struct.pack("!i", 196608) + b"".join(text(k) + text(v) for k, v in given.items()) + b"\0"
            writer.write(struct.pack("!i", len(body) + 4) + body)
            return await _login(reader, writer, address)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ProtocolError, ScramError):
        raise ConnectorError("the source cannot be reached, or refused the masked role") from None


async def _login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> Backend:
    scram, parameters, key = Client(address.password), {}, b""
    while True:
        kind, body = await read_frame(reader, _LIMIT)
        if kind == b"R":
            answer = _answer(scram, body, address)
            if answer is not None:
                writer.write(frame(b"p", answer))
        elif kind == b"S":
            name, value = body.split(b"\0")[:2]
            parameters[name.decode()] = value.decode()
        elif kind == b"K":
            key = body
        elif kind == b"Z":
            return Backend(reader, writer, parameters, key)
        elif kind == b"E":
            writer.close()
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
    """Ask the source to cancel what the backend with this key runs."""
    async with asyncio.timeout(5):
        _reader, writer = await _open(address)
        writer.write(struct.pack("!ii", 16, _CANCEL) + key)
        await writer.drain()
        writer.close()
