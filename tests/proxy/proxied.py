"""A proxy in a thread of the test process, listening on a Unix socket and on TCP, and a Wire that logs in to it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from dbmask.proxy.backend import Address
from dbmask.proxy.metrics import Numbers
from dbmask.proxy.rewrite import Rewriter
from dbmask.proxy.rewrite_cache import CachedRewriter
from dbmask.proxy.rewrite_catalog import load_catalog
from dbmask.proxy.scram import Client, verifier
from dbmask.proxy.server import Proxy
from tests.fix_postgres import Postgres
from tests.proxy.wire import Wire, messages

__all__ = ["WORD", "Proxied", "ProxyWire", "proxied"]

WORD = "of_these_tests"  # of the role and of every user of the proxy


@dataclass(frozen=True)
class Proxied:
    """Where a proxy listens and what it serves."""

    path: Path
    port: int
    database: str
    rewriter: Rewriter
    failures: list[str]
    """What asyncio reported that nobody caught."""
    sessions: Callable[[], int]
    """How many clients it serves."""

    def url(self, user: str = "ana") -> str:
        """libpq's URL through TCP."""
        return f"postgresql://{user}:{WORD}@127.0.0.1:{self.port}/{self.database}"

    def wire(self, user: str = "ana", startup: Mapping[str, str] | None = None) -> ProxyWire:
        """A connection that is not open yet."""
        return ProxyWire(str(self.path), user, self.database, startup or {})


class ProxyWire(Wire):
    """A Wire that logs in by SCRAM."""

    def open(self) -> bool:
        self.start = len(self.received)
        self.socket = self.connected()
        self.socket.settimeout(15)
        given = {"user": self.user, "database": self.database, **self.startup}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in given.items()) + b"\0"
        self.raw(struct.pack("!ii", len(body) + 8, self.version) + body)
        exchange = Client(WORD)
        if not self._code(10):
            return False
        first = exchange.first()
        self.send("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        challenge = self._code(11)
        if not challenge:
            return False
        self.send("p", exchange.answer(challenge[4:]))
        return self.until_ready()

    def connected(self) -> socket.socket:
        """A socket to the proxy."""
        made = socket.socket(socket.AF_UNIX)
        made.connect(self.path)
        return made

    def _code(self, code: int) -> bytes:
        while True:
            for kind, body in messages(self.received[self.start :]):
                if kind == "R" and struct.unpack("!i", body[:4])[0] == code:
                    return body
            if not self._more():
                return b""


@contextmanager
def proxied(postgres: Postgres, database: str, role: str, folder: Path) -> Iterator[Proxied]:
    """Serve ``database`` as ``role``, whose password is WORD, to the users ana and dm_user."""
    with psycopg.connect(postgres.url(database, role, WORD), autocommit=True) as connection:
        rewriter = Rewriter(load_catalog(connection))
    address = Address(postgres.host, postgres.port, role, database, WORD)
    cached = CachedRewriter(rewriter.catalog, Numbers().of(0))
    proxy = Proxy(address, {"ana": verifier(WORD), "dm_user": verifier(WORD)}, cached)
    loop = asyncio.new_event_loop()
    failures: list[str] = []
    loop.set_exception_handler(lambda _, context: failures.append(repr(context)))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    path = folder / "s"

    async def start() -> asyncio.Server:
        await proxy.serve_unix(str(path))
        return await proxy.serve("127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield Proxied(
            path, server.sockets[0].getsockname()[1], database, rewriter, failures, lambda: len(proxy.sessions)
        )
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
