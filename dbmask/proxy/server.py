"""The proxy: one backend for each client; statements are rewritten, rows are relayed as they are.

A refused statement is sent on as a syntax error with a random mark, so that the backend itself keeps transactions and
pipelines as PostgreSQL does; its answer is then replaced by the refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import shlex
import ssl
import struct
import sys
from dataclasses import dataclass, field

from dbmask.errors import ConnectorError
from dbmask.proxy.backend import Address, Backend, cancel, connect
from dbmask.proxy.describe import described
from dbmask.proxy.rewrite import Refused, Rewriter
from dbmask.proxy.rewrite_lists import FREE_SETTINGS
from dbmask.proxy.scram import ScramError, Server, verifier
from dbmask.proxy.wire import BEFORE_LOGIN, ProtocolError, cleaned, error, frame, read_frame, text

__all__ = ["Proxy"]

_FROM_BACKEND = 1 << 30
_QUIET = 60.0  # seconds a client may leave its socket full


class Fatal(Exception):
    """Ends the session with an error."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        super().__init__(message)


@dataclass
class Proxy:
    """A listener. ``users``: name -> verifier; ``limit``: bytes of a message; times in seconds."""

    address: Address
    users: dict[str, str]
    rewriter: Rewriter
    tls: ssl.SSLContext | None = None
    connections: int = 500
    limit: int = 16 << 20
    login: float = 20.0
    idle: float = 3600.0
    audit: bool = False
    sessions: dict[bytes, Session] = field(default_factory=dict)
    count: int = 0

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Start to listen."""
        return await asyncio.start_server(self.accept, host, port)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes."""
        self.count += 1
        session = Session(self, reader, writer)
        try:
            if self.count > self.connections:
                raise Fatal("53300", "too many connections")
            await session.run()
        except Fatal as end:
            writer.write(error(end.state, str(end), "FATAL"))
        except ProtocolError as end:
            writer.write(error("08P01", str(end), "FATAL"))
        except ConnectorError as end:
            writer.write(error("08006", str(end), "FATAL"))
        except TimeoutError:
            writer.write(error("57P05", "the connection was idle for too long", "FATAL"))
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self.count -= 1
            session.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.drain()
            writer.close()


class Session:
    """One client."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.backend: Backend | None = None
        self.key = secrets.token_bytes(8)
        self.user = ""
        self.path = self.default = list(proxy.rewriter.catalog.path)
        self.mark = "dbmask_" + secrets.token_hex(16)
        self.refusals: dict[int, Refused] = {}
        self.refused = 0

    def close(self) -> None:
        """Let the backend go."""
        self.proxy.sessions.pop(self.key, None)
        if self.backend is not None:
            self.backend.writer.transport.abort()

    async def run(self) -> None:
        async with asyncio.timeout(self.proxy.login):
            given = await self._start()
            if given is None:
                return
            settings = self._settings(given)
            await self._authenticate()
            self.backend = await connect(self.proxy.address, settings)
        self.proxy.sessions[self.key] = self
        shown = self.backend.parameters
        greeting = [
            frame(b"S", text(k) + text(v))
            for k, v in shown.items()
            if k not in ("is_superuser", "session_authorization")
        ]
        self.writer.write(b"".join([*greeting, frame(b"K", self.key), frame(b"Z", b"I")]))
        answers = asyncio.create_task(self._answers(self.backend))
        asks = asyncio.create_task(self._asks(self.backend))
        done, rest = await asyncio.wait((answers, asks), return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()

    async def _start(self) -> dict[str, str] | None:
        for _ in range(3):
            (length,) = struct.unpack("!i", await self.reader.readexactly(4))
            if not 8 <= length <= BEFORE_LOGIN:
                raise ProtocolError("invalid length of the startup packet")
            body = await self.reader.readexactly(length - 4)
            (code,) = struct.unpack("!i", body[:4])
            if code in (80877103, 80877104):
                await asyncio.sleep(0)
                if self.reader._buffer:  # type: ignore[attr-defined]
                    raise ProtocolError("data follows the request for encryption")
                wanted = code == 80877103 and self.proxy.tls is not None
                self.writer.write(b"S" if wanted else b"N")
                if wanted and self.proxy.tls is not None:
                    await self.writer.start_tls(self.proxy.tls)
            elif code == 80877102:
                other = self.proxy.sessions.get(body[4:])
                if other is not None and other.backend is not None:
                    await cancel(self.proxy.address, other.backend.key)
                return None
            elif code >> 16 == 3:
                return self._pairs(body[4:])
            else:
                raise Fatal("0A000", "only protocol 3 is supported")
        raise ProtocolError("no startup packet")

    def _pairs(self, body: bytes) -> dict[str, str]:
        try:
            parts = body.decode().split("\0")
        except UnicodeDecodeError:
            raise ProtocolError("the startup packet is not UTF-8") from None
        return dict(zip(parts[:-2:2], parts[1:-2:2], strict=False))

    def _settings(self, given: dict[str, str]) -> dict[str, str]:
        self.user = given.pop("user", "")
        if given.pop("replication", "false") not in ("false", "off", "0", "no"):
            raise Fatal("0A000", "replication is not supported")
        if given.pop("database", self.user) != self.proxy.address.database:
            raise Fatal("3D000", "this database is not served here")
        try:
            words = shlex.split(given.pop("options", "").replace("-c ", "-c"))
        except ValueError:
            raise Fatal("42501", "these startup options are not allowed") from None
        for word in words:
            name, equals, value = word.removeprefix("-c").removeprefix("--").partition("=")
            if not equals or not word.startswith("-"):
                raise Fatal("42501", "these startup options are not allowed")
            given[name] = value
        kept = {}
        for name, value in given.items():
            if name.lower() == "search_path":
                self.path = self.default = _names(value)
            elif name.lower() == "client_encoding":
                if value.lower().replace("-", "").strip("'\"") not in ("utf8", "unicode", "auto"):
                    raise Fatal("0A000", "only the client encoding UTF8 is supported")
            elif name.lower() not in FREE_SETTINGS and (name.lower(), value.lower()) != (
                "standard_conforming_strings",
                "on",
            ):
                raise Fatal("42501", "this startup setting is not allowed")
            else:
                kept[name] = value
        # Types, casts of names and what is visible are the client's; relations and functions are written in full.
        path = [self.user if p == "$user" else p for p in self.path]
        kept["search_path"] = ", ".join('"' + p.replace('"', '""') + '"' for p in path)
        return kept

    async def _authenticate(self) -> None:
        known = self.proxy.users.get(self.user)
        exchange = Server(known or verifier(secrets.token_hex(16)))
        self.writer.write(frame(b"R", struct.pack("!i", 10) + text("SCRAM-SHA-256") + b"\0"))
        try:
            kind, body = await read_frame(self.reader, BEFORE_LOGIN)
            name, _, first = body.partition(b"\0")
            if kind != b"p" or name != b"SCRAM-SHA-256":
                raise ScramError
            self.writer.write(frame(b"R", struct.pack("!i", 11) + exchange.first(first[4:])))
            kind, body = await read_frame(self.reader, BEFORE_LOGIN)
            final = exchange.final(body)
            if kind != b"p" or known is None:
                raise ScramError
        except ScramError:
            raise Fatal("28P01", "password authentication failed") from None
        self.writer.write(frame(b"R", struct.pack("!i", 12) + final) + frame(b"R", struct.pack("!i", 0)))

    async def _asks(self, backend: Backend) -> None:
        while True:
            async with asyncio.timeout(self.proxy.idle):
                kind, body = await read_frame(self.reader, self.proxy.limit)
            if kind == b"X":
                return
            if kind == b"Q":
                body = text(self._rewritten(_string(body, 0)[0]))
            elif kind == b"P":
                name, at = _string(body, 0)
                query, at = _string(body, at)
                body = text(name) + text(self._rewritten(query)) + body[at:]
            elif kind == b"F":
                self._refuse(Refused("0A000", "function calls by the protocol are not supported"))
                kind, body = b"Q", text(f"{self.mark}_{self.refused}")
            elif kind not in (b"B", b"D", b"E", b"C", b"H", b"S"):
                raise ProtocolError("this message is not expected")
            backend.writer.write(frame(kind, body))
            await backend.writer.drain()

    def _refuse(self, refusal: Refused) -> None:
        self.refused += 1
        self.refusals[self.refused] = refusal
        if len(self.refusals) > 1000:
            self.refusals.pop(min(self.refusals))

    def _rewritten(self, query: str) -> str:
        try:
            done = self.proxy.rewriter.rewrite(query, self.path, self.user, self.default)
        except Refused as refusal:
            self._refuse(refusal)
            self._log([], refusal.state)
            return f"{self.mark}_{self.refused}"
        if done.path is not None:
            self.path = done.path
        self._log(done.tables, None)
        return done.sql

    def _log(self, tables: list[str], refused: str | None) -> None:
        if self.proxy.audit:
            sys.stderr.write(json.dumps({"user": self.user, "tables": sorted(set(tables)), "refused": refused}) + "\n")

    async def _answers(self, backend: Backend) -> None:
        while True:
            kind, body = await read_frame(backend.reader, _FROM_BACKEND)
            if kind in b"EN":
                answer = self._said(kind, body)
            elif kind in b"AG":
                continue
            elif kind == b"T":
                answer = frame(kind, described(body, self.proxy.rewriter.catalog))
            else:
                answer = frame(kind, body)
            self.writer.write(answer)
            async with asyncio.timeout(_QUIET):
                await self.writer.drain()

    def _said(self, kind: bytes, body: bytes) -> bytes:
        _, found, rest = body.partition(self.mark.encode() + b"_")
        number = rest.partition(b'"')[0]
        if found and number.isdigit():
            refusal = self.refusals.pop(int(number), None) or Refused("42501", "this is not allowed")
            return error(refusal.state, str(refusal))
        return cleaned(kind, body)


def _names(value: str) -> list[str]:
    """The schemas of a search path as a setting has them."""
    parts = re.findall(r'\s*("(?:[^"]|"")*"|[^,]+)', value)
    return [p[1:-1].replace('""', '"') if p.startswith('"') else p.strip().lower() for p in parts] or [""]


def _string(body: bytes, at: int) -> tuple[str, int]:
    end = body.find(b"\0", at)
    try:
        if end < 0:
            raise ProtocolError("a string without an end")
        return body[at:end].decode(), end + 1
    except UnicodeDecodeError:
        return "\x01", end + 1  # no grammar reads this: refused in place
