"""One side of a connection: frames awaited one by one while somebody logs in, bytes handed on as they come after that.

asyncio's streams copy every message through a buffer and wake a task for each; a relay wants neither.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from dbmask.proxy.wire import ProtocolError

__all__ = ["Link", "Lost"]

_UNREAD = 1 << 20
"""Bytes that may lie unread before a relay has begun."""
_LAST = 5.0
"""Seconds for the last bytes to go out."""
_HIGH, _LOW = 256 << 10, 64 << 10
_length = struct.Struct("!i").unpack_from


class Lost(ConnectionError):
    """The other side has closed the connection."""


class Link(asyncio.Protocol):
    """A connection. ``paused`` is called with whether the other side reads too slowly; ``ended`` once, at the end."""

    def __init__(self, made: Callable[[Link], None] | None = None) -> None:
        self.transport: Any = None
        self.lost = False
        self.full = False
        self.ended: Callable[[], None] | None = None
        self.paused: Callable[[bool], None] | None = None
        self._made = made
        self._buffer = bytearray()
        self._taker: Callable[[bytes], None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio: the connection is there."""
        self._over(transport)
        end = transport.get_extra_info("socket")
        if end is not None and end.family != socket.AF_UNIX:
            # Peers that vanish without a word are found by the kernel, in two minutes.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        if self._made is not None:
            self._made(self)

    def _over(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(_HIGH, _LOW)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: bytes have come."""
        if self._taker is not None:
            self._taker(data)
            return
        self._buffer += data
        if len(self._buffer) > _UNREAD:
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: the connection has ended."""
        self.lost = True
        self._wake()
        if self.ended is not None:
            self.ended()
            self.ended = None

    def pause_writing(self) -> None:
        """Called by asyncio: what was written does not go out."""
        self.full = True
        if self.paused is not None:
            self.paused(True)

    def resume_writing(self) -> None:
        """Called by asyncio: there is room again."""
        self.full = False
        if self.paused is not None:
            self.paused(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def write(self, data: bytes) -> None:
        """Send; nothing where the connection has ended."""
        if not self.lost:
            self.transport.write(data)

    def close(self) -> None:
        """Close once what was written has gone out, or has not in some seconds."""
        if self.transport is not None and not self.lost:
            self.transport.close()
            if self.full:
                asyncio.get_running_loop().call_later(_LAST, self.transport.abort)

    @property
    def peer(self) -> str:
        """The other side's address, without its port."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else "local"

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    async def exactly(self, size: int) -> bytes:
        """The next bytes; raises Lost."""
        while len(self._buffer) < size:
            if self.lost:
                raise Lost
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def frame(self, limit: int) -> tuple[bytes, bytes]:
        """Type and body of the next message; raises ProtocolError, Lost."""
        head = await self.exactly(5)
        (length,) = _length(head, 1)
        if not 4 <= length <= limit:
            raise ProtocolError("invalid message length")
        return head[:1], await self.exactly(length - 4)

    @property
    def unread(self) -> bool:
        """Whether bytes have come that nobody has taken."""
        return bool(self._buffer)

    async def encrypt(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """Go over to TLS: as a server, or as a client where ``server_name`` is given. Raises OSError, ProtocolError.

        What came in clear before the handshake must not be taken for what was encrypted.
        """
        if self._buffer:
            raise ProtocolError("data follows the request for encryption")
        loop = asyncio.get_running_loop()
        over = await loop.start_tls(
            self.transport, self, context, server_side=server_name is None, server_hostname=server_name
        )
        self._over(over)

    def relay(self, taker: Callable[[bytes], None]) -> None:
        """From now on every byte goes to ``taker``, those that lie here first."""
        self._taker = taker
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            taker(data)

    def rest(self) -> None:
        """Back to awaited frames: nobody relays any more."""
        self._taker = self.ended = self.paused = None
