"""The proxy: logs clients in, gives each a backend from the pool, and ends what takes too long.

Clients who come and go are served by :class:`Proxy`; what passes between one of them and the source is a
:class:`dbmask.proxy.session.Session`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from dbmask.errors import ConnectorError
from dbmask.proxy.audit import Log, Trail
from dbmask.proxy.backend import Address, Backend, cancel
from dbmask.proxy.link import Link, Lost
from dbmask.proxy.login import Fatal, Login, authenticate, read_settings, start
from dbmask.proxy.metrics import Counters, Numbers
from dbmask.proxy.pool import Pool
from dbmask.proxy.session import Limits, Rewrites, Service, Session
from dbmask.proxy.wire import ProtocolError, error, frame, text

__all__ = ["Proxy"]

_SWEEP = 1.0
"""Seconds between looks at what takes too long."""
_MORE = 100
"""Connections above the limit that may say what they want: a cancellation, or to be told that there are too many."""
_OWN_PARAMETERS = ("is_superuser", "session_authorization")


class Proxy:
    """A listener for one role of one source. ``users``: name -> verifier.

    ``worker`` is this process' number among those that share the port, and stands in the keys of cancellations;
    ``elsewhere`` passes on keys of other workers. ``secret`` makes up salts for names that do not exist. ``total`` says
    how many clients are connected to all workers.
    """

    def __init__(
        self,
        address: Address,
        users: Mapping[str, str],
        rewrites: Rewrites,
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        log: Log | None = None,
        counters: Counters | None = None,
        secret: bytes = b"",
        worker: int = 0,
        spare: int = 2,
    ) -> None:
        self.users, self.tls, self.worker = users, tls, worker
        self.pool = Pool(address, spare)
        self.service = Service(rewrites, limits or Limits(), counters or Numbers().of(0), log)
        self.secret = secret or secrets.token_bytes(32)
        self.sessions: dict[bytes, Session] = {}
        self.closed: str | None = None
        self.elsewhere: Callable[[bytes], object] | None = None
        self.total: Callable[[], float] = lambda: self.service.counters.get("connections")
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None

    async def serve(self, host: str, port: int, **options: Any) -> asyncio.Server:
        """Start to listen; options are those of asyncio's create_server."""
        loop = asyncio.get_running_loop()
        return self._began(await loop.create_server(self.link, host, port, backlog=1024, **options))

    async def serve_unix(self, path: str) -> asyncio.Server:
        """Start to listen on a socket of the file system."""
        return self._began(await asyncio.get_running_loop().create_unix_server(self.link, path))

    def _began(self, server: asyncio.Server) -> asyncio.Server:
        self._servers.append(server)
        self.pool.fill()
        if self._sweeper is None:
            self._sweep()
        return server

    def link(self) -> Link:
        """The protocol object for a client that connects."""
        return Link(self._connected)

    def _connected(self, link: Link) -> None:
        self._begin(self._serve(link))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = self.service.clock()
        for session in list(self.sessions.values()):
            session.check(now)
        self.service.counters.set("backends_waiting", self.pool.waiting)
        self._sweeper = loop.call_later(_SWEEP, self._sweep)

    async def _serve(self, link: Link) -> None:
        counters = self.service.counters
        counters.add("connections")
        served = False
        try:
            async with asyncio.timeout(self.service.limits.login):
                served = await self._login(link)
        except Fatal as end:
            link.write(error(end.state, str(end), "FATAL"))
        except ProtocolError as end:
            link.write(error("08P01", str(end), "FATAL"))
        except ConnectorError as end:
            link.write(error("08006", str(end), "FATAL"))
        except TimeoutError:
            link.write(error("57P05", "the login took too long", "FATAL"))
        except OSError:  # Lost is one
            link.abort()
        finally:
            if not served:
                counters.add("connections", -1)
                link.close()

    async def _login(self, link: Link) -> bool:
        """Whether a session has begun."""
        limits, counters = self.service.limits, self.service.counters
        try:
            if self.total() > limits.connections + _MORE:
                raise Lost
            given = await start(link, self.tls)
            if isinstance(given, bytes):
                self.cancel(given)
                return False
            if self.total() > limits.connections:
                raise Fatal("53300", "too many connections")
            if self.closed is not None:
                raise Fatal("57P03", self.closed)
            login = read_settings(given, self.pool.address.database, self.service.rewrites.catalog.path)
            await self._authenticate(link, login)
            backend = await self.pool.take(login.settings)
        except (Fatal, ProtocolError, ConnectorError, TimeoutError, Lost):
            counters.add("connections_refused_total")
            raise
        counters.add("logins_total")
        if link.lost:
            self.pool.give(backend, clean=True)
            return False
        self._enter(link, login, backend)
        return True

    async def _authenticate(self, link: Link, login: Login) -> None:
        trail = Trail(self.service.log, login.user, link.peer) if self.service.log else None
        try:
            await authenticate(link, login.user, self.users, self.secret)
        except Fatal:
            self.service.counters.add("logins_failed_total")
            if trail is not None:
                trail.login(False)
            raise
        if trail is not None:
            trail.login(True)

    def _enter(self, link: Link, login: Login, backend: Backend) -> None:
        session = Session(self.service, login, link, backend)
        key = bytes((self.worker & 0x7F,)) + secrets.token_bytes(7)
        self.sessions[key] = session

        def stop() -> None:
            backend.cancelled = True
            self.service.counters.add("cancels_total")
            self._begin(cancel(self.pool.address, backend.key))

        def over() -> None:
            del self.sessions[key]
            self.service.counters.add("connections", -1)
            if session.open and not backend.link.lost:
                stop()  # nobody waits for this any more
            self.pool.give(backend, session.clean)

        session.over, session.cancel = over, stop
        shown = [frame(b"S", text(k) + text(v)) for k, v in backend.parameters.items() if k not in _OWN_PARAMETERS]
        link.write(b"".join([*shown, frame(b"K", key), frame(b"Z", b"I")]))
        session.begin()

    def cancel(self, key: bytes) -> None:
        """Cancel what the session with this key runs, here or in another worker."""
        session = self.sessions.get(key)
        if session is not None and session.cancel is not None:
            session.cancel()
        elif session is None and self.elsewhere is not None and len(key) == 8 and key[0] != self.worker:
            self.elsewhere(key)

    async def drain(self, seconds: float) -> None:
        """Take no more clients, let those that are here end what they began, then end what is left."""
        self.closed = "the proxy is shutting down"
        for server in self._servers:
            server.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.sessions:
            late = loop.time() >= end
            for session in list(self.sessions.values()):
                if late or not session.busy:
                    session.fatal("57P01", "the proxy is shutting down")
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """End everything at once."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for server in self._servers:
            server.close()
        for session in list(self.sessions.values()):
            session.client.abort()
            session.end()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks, return_exceptions=True)
        await self.pool.close()
        await asyncio.sleep(0.01)  # transports close in the loop's next turns
