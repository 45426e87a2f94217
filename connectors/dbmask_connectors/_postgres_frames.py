"""COPY TO STDOUT as the bytes of its messages, read from the connection's socket beside libpq.

A server sends a message a row, and libpq hands them over one at a time, which costs more than all else that a relay does. A
CopyData message is the same in both directions, so those bytes can go to another server's COPY FROM STDIN as they are. This
works where a connection is not encrypted; elsewhere rows go through libpq.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Generator, Iterator
from struct import Struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["frames", "lent", "possible", "send"]

_BUFFER = 512 * 1024
_ENOUGH = 128 * 1024
_HEADER = 5
_LENGTH = Struct("!I").unpack_from
_DATA, _ERROR, _READY = b"dEZ"
_EXPECTED = b"HcCNSA"
"""CopyOutResponse, CopyDone, CommandComplete, and what may come at any time."""
_MUCH = 64 * 1024
"""Bytes that are worth being woken for: a server sends 8 KB at a time."""
_MOMENT = 5
"""Milliseconds for which so many are waited for; then what is there will do."""
_LONG = 512 * 1024
"""Bytes after which an answer is a long one. Of shorter ones any byte wakes: a moment's wait would be most of their time."""
_PATIENCE = 5.0
"""Seconds for a server to answer a cancellation before its connection is given up."""


def possible(connection: psycopg.Connection[Any]) -> bool:
    """Whether the socket carries plain messages."""
    return not connection.pgconn.ssl_in_use and not connection.pgconn.used_gssapi


@contextlib.contextmanager
def lent(connection: psycopg.Connection[Any]) -> Iterator[socket.socket]:
    """libpq's socket; losing the connection is psycopg's OperationalError."""
    from psycopg import OperationalError

    plain = socket.socket(fileno=connection.fileno())
    try:
        yield plain
    except OSError:
        raise OperationalError("the connection was lost") from None
    finally:
        plain.detach()


def send(plain: socket.socket, data: bytes | memoryview, incoming: Callable[[], None] | None = None) -> None:
    """All of the bytes into a socket that does not block; ``incoming`` is called where the other side speaks meanwhile.

    Raises OSError where the connection is lost.
    """
    view = memoryview(data)
    waiting = select.poll()
    waiting.register(plain, select.POLLOUT | (select.POLLIN if incoming else 0))
    while view:
        try:
            view = view[plain.send(view) :]
        except BlockingIOError:
            if any(event & select.POLLIN for _, event in waiting.poll()) and incoming:
                incoming()


def frames(
    connection: psycopg.Connection[Any], statement: str, even: bool = False
) -> Generator[tuple[int, memoryview], None, None]:
    """What a COPY TO STDOUT sends, as (number of messages, their bytes); a block is valid until the next is asked for.

    ``even`` says that nearly all messages have one length: then many are gone over at a time.

    Messages are whole, so that after any of them the other server can be told that no more will come. Raises what the server
    says as psycopg's errors, with SQLSTATE and without a message; OperationalError where the connection is lost.
    """
    from psycopg import Error

    body = statement.encode() + b"\0"
    with lent(connection) as plain:
        answer = _Answer(plain, even)
        try:
            send(plain, b"Q" + (len(body) + 4).to_bytes(4, "big") + body)
            yield from answer.blocks()
        except OSError:
            connection.close()
            raise
        finally:
            if not answer.ended and not connection.closed:
                try:
                    connection.cancel_safe(timeout=_PATIENCE)
                    answer.drain(_PATIENCE)
                except (OSError, Error):
                    connection.close()
            if not connection.closed:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)  # as libpq knows it
    answer.check()


def _alike(buffer: bytearray, at: int, filled: int, size: int) -> int:
    """How many whole CopyData messages of ``size`` bytes stand one behind another."""
    import numpy as np

    some = (filled - at) // size
    messages = np.frombuffer(buffer, np.uint8, some * size, at).reshape(some, size)
    header = np.frombuffer(bytes([_DATA]) + (size - 1).to_bytes(4, "big"), np.uint8)
    other = np.flatnonzero((messages[:, :_HEADER] != header).any(axis=1))
    return int(other[0]) if len(other) else some


class _Answer:
    """The answer to one statement, of which the CopyData messages are handed on."""

    def __init__(self, plain: socket.socket, even: bool) -> None:
        self.ended = False
        self._even = even
        self._plain = plain
        self._waiting = select.poll()
        self._waiting.register(plain, select.POLLIN)
        self._buffer = bytearray(_BUFFER)
        self._filled = 0
        self._whole = 0  # bytes of whole CopyData messages at the buffer's beginning
        self._count = 0  # how many they are
        self._state = ""
        self._received = 0
        self._mark = 1  # of SO_RCVLOWAT

    def blocks(self, until: float | None = None) -> Generator[tuple[int, memoryview], None, None]:
        """As :func:`frames`. Raises TimeoutError after ``until`` on the monotonic clock."""
        while not self.ended:
            other = self._walk()
            if self._whole and (other or self._filled >= _ENOUGH):
                yield self._count, memoryview(self._buffer)[: self._whole]
                self._drop(self._whole)
                self._whole = self._count = 0
            if other:
                self._other(until)
            else:
                self._receive(until)

    def drain(self, seconds: float) -> None:
        """Read to the end of the answer. Raises OSError where it does not come in time."""
        for _ in self.blocks(time.monotonic() + seconds):
            pass

    def check(self) -> None:
        """Raise what the server said."""
        from psycopg import DatabaseError, Error, errors

        if self._state:
            try:
                kind: type[Error] = errors.lookup(self._state)
            except KeyError:
                kind = type("UnknownState", (DatabaseError,), {"sqlstate": self._state})
            raise kind("the server reported an error")

    def _walk(self) -> bool:
        """Go over whole CopyData messages; whether a message of another kind follows them."""
        buffer, filled, at, count = self._buffer, self._filled, self._whole, self._count
        while (inside := at + _HEADER) <= filled and buffer[at] == _DATA:
            behind: int = at + 1 + _LENGTH(buffer, at + 1)[0]
            if behind > filled:
                break
            size, at = behind - at, behind
            count += 1
            if self._even and (alike := _alike(buffer, at, filled, size)):
                at += alike * size
                count += alike
        self._whole, self._count = at, count
        return inside <= filled and buffer[at] != _DATA

    def _receive(self, until: float | None) -> None:
        """More bytes; waits for them."""
        if self._filled == len(self._buffer):  # with a message that is longer
            self._buffer = self._buffer + bytes(len(self._buffer))  # a new one: somebody may still look at this one
        while True:
            much = bool(self._waiting.poll(_MOMENT))
            try:
                got = self._plain.recv_into(memoryview(self._buffer)[self._filled :])
            except BlockingIOError:
                if not much:
                    self._wait(until)
                continue
            if not got:
                raise ConnectionResetError
            self._filled += got
            self._received += got
            if self._received >= _LONG and self._mark == 1:
                self._mark = _MUCH
                self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._mark)
            return

    def _wait(self, until: float | None) -> None:
        """Until there is anything. Raises TimeoutError."""
        limit = None if until is None else max(until - time.monotonic(), 0) * 1000
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        try:
            if not self._waiting.poll(limit):
                raise TimeoutError
        finally:
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._mark)

    def _drop(self, count: int) -> None:
        rest = self._filled - count
        self._buffer[:rest] = self._buffer[count : self._filled]
        self._filled = rest

    def _other(self, until: float | None) -> None:
        """Take the messages at the buffer's beginning that are not CopyData, one after another."""
        while not self.ended and self._filled >= _HEADER and self._buffer[0] != _DATA:
            kind = self._buffer[0]
            length = 1 + _LENGTH(self._buffer, 1)[0]
            if kind not in (_ERROR, _READY) and kind not in _EXPECTED:
                raise ConnectionResetError  # not what this protocol has here: nothing that follows can be trusted
            while self._filled < length:
                self._receive(until)
            if kind == _ERROR:
                fields = (part for part in bytes(self._buffer[_HEADER:length]).split(b"\0"))
                self._state = next((f[1:].decode("ascii", "replace") for f in fields if f[:1] == b"C"), "XX000")
            self.ended = kind == _READY
            self._drop(length)
