"""PostgreSQL's wire protocol by hand: what is sent is what the corpus says, and every byte that comes back is kept."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Wire", "messages", "rows_of"]

_SSL, _GSS = 80877103, 80877104


def messages(received: bytes) -> Iterator[tuple[str, bytes]]:
    """The whole messages of a stream, by type and body."""
    at = 0
    while at + 5 <= len(received):
        size = int.from_bytes(received[at + 1 : at + 5], "big")
        if at + 1 + size > len(received):
            return
        yield chr(received[at]), received[at + 5 : at + 1 + size]
        at += 1 + size


def rows_of(received: bytes) -> list[list[bytes]]:
    """The values of all DataRow messages; NULL is empty."""
    rows = []
    for kind, body in messages(received):
        if kind != "D":
            continue
        at, row = 2, []
        for _ in range(int.from_bytes(body[:2], "big")):
            size = int.from_bytes(body[at : at + 4], "big", signed=True)
            row.append(body[at + 4 : at + 4 + max(size, 0)])
            at += 4 + max(size, 0)
        rows.append(row)
    return rows


@dataclass
class Wire:
    """One connection through a Unix socket. ``received`` is every byte that came back."""

    path: str
    user: str
    database: str
    startup: Mapping[str, str] = field(default_factory=dict)
    received: bytes = b""
    version: int = 196608

    def open(self) -> bool:
        """Start a session; whether the server is ready for queries."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(self.path)
        given = {"user": self.user, "database": self.database, **self.startup}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in given.items()) + b"\0"
        self.raw(struct.pack("!ii", len(body) + 8, self.version) + body)
        return self.until_ready()

    def raw(self, data: bytes) -> None:
        """Send bytes as they are; a connection that the server has closed takes none."""
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def send(self, kind: str, body: bytes) -> None:
        """Send one message."""
        self.raw(kind.encode() + struct.pack("!i", len(body) + 4) + body)

    def query(self, text: str | bytes) -> None:
        """Send a simple Query and read its answer."""
        self.send("Q", (text.encode() if isinstance(text, str) else text) + b"\0")
        self.until_ready()

    def until_ready(self) -> bool:
        """Read up to ReadyForQuery; False where the server closes the connection first. COPY IN is ended as it asks."""
        start = len(self.received)
        while True:
            for kind, _ in messages(self.received[start:]):
                if kind == "Z":
                    return True
            answered = [k for k, _ in messages(self.received[start:])]
            if answered and answered[-1] == "G":
                self.send("f", b"no\0")
            if not self._more():
                return False

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except OSError:
            return False
        self.received += data
        return bool(data)

    def drain(self) -> None:
        """Read what comes within a moment, where nothing says that it is all."""
        self.socket.settimeout(1.0)
        while self._more():
            continue

    def step(self, item: Sequence[Any], oids: Mapping[str, int]) -> None:
        """One step of a protocol attempt, as the corpus writes it."""
        kind, rest = item[0], list(item[1:])
        if kind == "P":
            types = rest[2]
            body = _text(rest[0]) + _text(rest[1]) + struct.pack("!h", len(types)) + b"".join(_int(t) for t in types)
            self.send("P", body)
        elif kind == "B":
            self.send("B", _bind(*rest))
        elif kind in ("D", "C"):
            self.send(kind, rest[0].encode() + _text(rest[1]))
        elif kind == "E":
            self.send("E", _text(rest[0]) + _int(rest[1]))
        elif kind == "H":
            self.send("H", b"")
        elif kind == "S":
            self.send("S", b"")
            self.until_ready()
        elif kind == "Q":
            self.query(rest[0])
        elif kind == "F":
            self.send("F", _call(oids[rest[0]], rest[1]))
            self.until_ready()
        elif kind == "RAWQ":
            data = bytes.fromhex(rest[0])
            self.send("Q", data)
            self.until_ready()
        else:
            self._odd(kind, rest)

    def _odd(self, kind: str, rest: Sequence[Any]) -> None:
        if kind == "RAW":
            self.raw(bytes.fromhex(rest[0]))
        elif kind in ("SSLSTUFF", "GSSSTUFF"):
            self.socket.close()
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(self.path)
            code = _SSL if kind == "SSLSTUFF" else _GSS
            text = rest[0].encode() + b"\0"
            self.raw(struct.pack("!ii", 8, code) + b"Q" + _int(len(text) + 4) + text)
        elif kind == "STARTUPVER":
            self.socket.close()
            self.version = rest[0]
            self.open()
        else:
            raise AssertionError(f"the corpus has a step {kind}")
        self.drain()

    def close(self) -> None:
        """End the session."""
        self.raw(b"X\0\0\0\4")
        self.socket.close()


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _int(value: int) -> bytes:
    return struct.pack("!i", value)


def _values(values: Sequence[str]) -> bytes:
    parts = [_int(len(v.encode())) + v.encode() for v in values]
    return struct.pack("!h", len(parts)) + b"".join(parts)


def _bind(portal: str, name: str, params: Sequence[str], formats: Sequence[int]) -> bytes:
    made = _text(portal) + _text(name) + struct.pack("!h", 0) + _values(params)
    return made + struct.pack("!h", len(formats)) + b"".join(struct.pack("!h", f) for f in formats)


def _call(oid: int, args: Sequence[str]) -> bytes:
    return _int(oid) + struct.pack("!h", 0) + _values(args) + struct.pack("!h", 0)
