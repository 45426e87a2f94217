"""Looks at the source while the proxy runs: statements are rewritten by what is installed now, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmask.errors import ConnectorError, DbmaskError
from dbmask.proxy.backend import Backend, connect
from dbmask.proxy.rewrite_cache import CachedRewriter
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.server import Proxy
from dbmask.proxy.trees import Refused
from dbmask.proxy.users import read_users
from dbmask.proxy.wire import ProtocolError

__all__ = ["INSTALLED_SQL", "STRUCTURE_SQL", "Closed", "State", "Watch"]

INSTALLED_SQL = "SELECT generation::text, policy::text FROM dbmask.installation"
"""What is installed for the role: quick, asked every second."""

_DIGEST = "(SELECT coalesce(sum(hashtextextended({} || ' ' || xmin::text, 0)), 0)::text FROM pg_catalog.{})"

STRUCTURE_SQL = "SELECT " + ", ".join(
    _DIGEST.format(row, table)
    for table, row in (
        ("pg_class WHERE relpersistence <> 't'", "oid::text"),
        ("pg_proc", "oid::text"),
        ("pg_operator", "oid::text"),
        ("pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'", "oid::text"),
        ("pg_attribute WHERE attacl IS NOT NULL", "attrelid::text || ' ' || attnum::text"),
        ("pg_auth_members", "roleid::text || ' ' || member::text"),
        ("pg_database WHERE datname = current_database()", "oid::text"),
    )
)
"""A digest of what names and rights there are: each change of a catalog's row changes it."""

_GONE = "the masked views are not those of the proxy's policy"


class Closed:
    """Refuses everything: in the place of a rewriter while it is not known what the views are."""

    def __init__(self, catalog: Catalog, why: str) -> None:
        self.catalog, self.why = catalog, why

    def rewrite(self, *_statement: Any) -> Any:
        """Raise Refused."""
        raise Refused("57P03", self.why)


@dataclass(frozen=True)
class State:
    """The answers to INSTALLED_SQL and STRUCTURE_SQL."""

    installed: tuple[str | None, ...]
    structure: tuple[str | None, ...]


class Watch:
    """Keeps one process' rewriter, users and readiness up to date.

    ``look`` reads the policy and the source anew, in a thread; it raises DbmaskError where nobody may be served. ``state``
    is from before the catalog was first read, so that nothing that changed meanwhile is missed.
    """

    def __init__(
        self,
        proxy: Proxy,
        look: Callable[[], Catalog],
        state: State,
        *,
        users: Path,
        say: Callable[[str], object],
        every: float = 1.0,
        structure_every: float = 15.0,
        retry_every: float = 5.0,
    ) -> None:
        self.proxy, self.look, self.state, self.users, self.say = proxy, look, state, users, say
        self.every, self.structure_every, self.retry_every = every, structure_every, retry_every
        self._backend: Backend | None = None
        self._stamp = _stamp(users)
        self._structure_at = self._retry_at = 0.0
        self._said = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self._read_users()
                await self._once()
                await asyncio.sleep(self.every)
        finally:
            if self._backend is not None:
                self._backend.link.abort()

    async def _once(self) -> None:
        try:
            now = await self._now()
        except (ConnectorError, ProtocolError, OSError, TimeoutError):
            self._ready(False)
            if self._backend is not None:
                self._backend.link.abort()
                self._backend = None
            return
        clock = asyncio.get_running_loop().time
        if now != self.state or (self.proxy.closed is not None and clock() >= self._retry_at):
            self._retry_at = clock() + self.retry_every
            await self._again(now)
        self._ready(self.proxy.closed is None)

    def _ready(self, ready: bool) -> None:
        self.proxy.service.counters.set("ready", float(ready))

    async def _now(self) -> State:
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(15):
            if self._backend is None:
                self._backend = await connect(self.proxy.pool.address, {"application_name": "dbmask proxy"})
                self._structure_at = 0.0  # whatever happened while the source was away
            installed = await self._installed(self._backend)
            structure = self.state.structure
            if installed != self.state.installed or clock() >= self._structure_at:
                structure = tuple((await self._backend.query(STRUCTURE_SQL))[0])
                self._structure_at = clock() + self.structure_every
        return State(installed, structure)

    async def _installed(self, backend: Backend) -> tuple[str | None, ...]:
        try:
            rows = await backend.query(INSTALLED_SQL)
        except ConnectorError:  # the source answers, but not this: there is no installation any more
            return ()
        return tuple(rows[0]) if rows else ()

    async def _again(self, now: State) -> None:
        """Read the catalog anew. Where the installation is another one, nothing is answered meanwhile."""
        service = self.proxy.service
        if now.installed != self.state.installed:
            self._close("the masked views have changed and are being read again")
        try:
            catalog = await asyncio.to_thread(self.look)
        except ConnectorError:
            return  # asked again in a second
        except DbmaskError as error:
            if str(error) != self._said:
                self.say(f"Nobody is served: {error}")
            self._said = str(error)
            self._close(_GONE)
            self.state = now
            for session in list(self.proxy.sessions.values()):  # what they have prepared is of before
                session.fatal("57P03", _GONE)
            return
        service.rewrites = CachedRewriter(catalog, service.counters, service.log is not None)
        service.counters.add("catalog_reloads_total")
        self.state = now
        self.proxy.pool.drop()
        self.proxy.closed, self._said = None, ""

    def _close(self, why: str) -> None:
        self.proxy.service.rewrites = Closed(self.proxy.service.rewrites.catalog, why)
        self.proxy.closed = why

    def _read_users(self) -> None:
        """A users file that cannot be read lets nobody in who is not in already."""
        stamp = _stamp(self.users)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.proxy.users = read_users(self.users)
        except DbmaskError as error:
            self.say(f"Nobody can log in: {error}")
            self.proxy.users = {}


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_mode)
