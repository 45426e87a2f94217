"""Connections to the source that wait, logged in, for clients: one for each client, never shared while it is there."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Coroutine, Mapping
from typing import Any

from dbmask.errors import ConnectorError
from dbmask.proxy.backend import Address, Backend, connect
from dbmask.proxy.wire import ProtocolError

__all__ = ["Pool"]

_KINDS = 8
"""How many sets of startup settings have connections waiting."""
_RESET = 5.0
"""Seconds that a connection may take to forget its client."""

Key = frozenset[tuple[str, str]]


class Pool:
    """``spare`` connections wait for each of the sets of settings that clients asked for last, ``kept`` at most.

    Connections are told apart by the settings they were started with, so that RESET means to a client what it would mean
    without a pool. A connection that a client leaves is reset (DISCARD ALL) and waits again.
    """

    def __init__(self, address: Address, spare: int = 2, kept: int = 16) -> None:
        self.address, self.spare, self.kept = address, spare, kept
        self._waiting: OrderedDict[Key, deque[Backend]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling: set[Key] = set()
        self._closed = False
        self._resetting: list[Backend] = []
        self.reachable = True

    @property
    def waiting(self) -> int:
        """How many connections wait."""
        return sum(len(waiting) for waiting in self._waiting.values())

    def fill(self, settings: Mapping[str, str] | None = None) -> None:
        """Have spare connections wait for clients with these settings."""
        key = frozenset((settings or {}).items())
        if not self._closed and self.spare and key not in self._filling:
            self._filling.add(key)
            self._begin(self._fill(key))

    async def take(self, settings: Mapping[str, str]) -> Backend:
        """A connection for one client; raises ConnectorError."""
        key = frozenset(settings.items())
        waiting = self._queue(key)
        while waiting:
            backend = waiting.popleft()
            backend.link.ended = None
            if not backend.link.lost:
                self.fill(settings)
                return backend
        made = await self._connect(settings)
        self.fill(settings)
        return made

    def give(self, backend: Backend, clean: bool) -> None:
        """Take back a client's connection. ``clean``: the source has answered everything, outside a transaction."""
        backend.link.rest()
        # A cancellation that is still on its way would hit the next client.
        enough = self.waiting + len(self._resetting) >= self.kept
        if not clean or backend.cancelled or self._closed or enough or backend.link.lost:
            backend.link.abort()
        else:
            self._resetting.append(backend)
            self._begin(self._reset(backend))

    async def close(self) -> None:
        """End every connection that waits, and whatever is being made."""
        self._closed = True
        await asyncio.sleep(0)  # what has not begun would not end the connection that it was given
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for backend in self._resetting:  # a task that is cancelled before it has begun cleans nothing up
            backend.link.abort()
        for waiting in self._waiting.values():
            for backend in waiting:
                backend.link.abort()
        self._waiting.clear()

    def drop(self) -> None:
        """End the connections that wait: their rights or settings may be those of before."""
        for waiting in self._waiting.values():
            while waiting:
                waiting.pop().link.abort()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _queue(self, key: Key) -> deque[Backend]:
        waiting = self._waiting.setdefault(key, deque())
        self._waiting.move_to_end(key)
        while len(self._waiting) > _KINDS:
            for backend in self._waiting.popitem(last=False)[1]:
                backend.link.abort()
        return waiting

    async def _connect(self, settings: Mapping[str, str]) -> Backend:
        try:
            made = await connect(self.address, settings)
        except ConnectorError:
            self.reachable = False
            raise
        self.reachable = True
        return made

    async def _fill(self, key: Key) -> None:
        try:
            while len(self._queue(key)) < self.spare and self.waiting < self.kept and not self._closed:
                self._put(key, await self._connect(dict(key)))
        except ConnectorError:
            return  # the next client finds out, and is told
        finally:
            self._filling.discard(key)

    async def _reset(self, backend: Backend) -> None:
        try:
            async with asyncio.timeout(_RESET):
                await backend.query("DISCARD ALL")
        except (ConnectorError, ProtocolError, OSError, TimeoutError):
            backend.link.abort()
            return
        except asyncio.CancelledError:
            backend.link.abort()
            raise
        finally:
            self._resetting.remove(backend)
        if self._closed or backend.link.lost:
            backend.link.abort()
        else:
            self._put(frozenset(backend.settings.items()), backend)

    def _put(self, key: Key, backend: Backend) -> None:
        waiting = self._queue(key)
        waiting.append(backend)

        def gone() -> None:
            if backend in waiting:
                waiting.remove(backend)

        backend.link.ended = gone
