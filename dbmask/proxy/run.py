"""The proxy as a program: one process or several, with all that runs beside the relay."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import ssl
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmask.errors import UsageError
from dbmask.policy import Policy
from dbmask.proxy.audit import Log
from dbmask.proxy.backend import Address
from dbmask.proxy.metrics import Numbers
from dbmask.proxy.monitor import Monitor
from dbmask.proxy.rewrite_cache import CachedRewriter
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.server import Proxy
from dbmask.proxy.session import Limits
from dbmask.proxy.source import look_at_source, read_state
from dbmask.proxy.users import mock_secret, read_users
from dbmask.proxy.watch import State, Watch
from dbmask.proxy.workers import Mail, reserve, supervise

__all__ = ["Options", "run"]


@dataclass
class Options:
    """What the command line says; times in seconds."""

    policy: str
    source: str
    users: str
    host: str
    port: int
    accepted: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    audit: str | None = None
    """A file, or - for standard error."""
    workers: int = 1
    metrics_port: int | None = None
    drain: float = 30.0
    spare: int = 2
    limits: Limits = field(default_factory=Limits)


@dataclass
class _Found:
    """The source at the start."""

    state: State
    address: Address
    catalog: Catalog


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT; the exit status. Raises DbmaskError before anybody is served."""
    read_users(options.users)  # before anything is asked of the source
    state = read_state(options.source)
    found = _Found(state, *look_at_source(Policy.load(options.policy), options.source, options.accepted))
    numbers = Numbers(options.workers)
    log = _log(options.audit)
    if options.workers == 1:
        _loop(_Worker(options, found, numbers, log).main(lambda: None))
        return 0
    held = reserve(options.host, options.port)
    options.port = held.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="dbmask-proxy-"))
    try:

        def work(number: int, ready: Callable[[], None], leash: int) -> None:
            numbers.of(number).clear_gauges()
            _loop(_Worker(options, found, numbers, log, number, folder).main(ready, leash))

        return supervise(options.workers, work, lambda: _say(f"Listening on {options.host}:{options.port}"))
    finally:
        held.close()
        shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _log(place: str | None) -> Log | None:
    if place is None:
        return None
    if place == "-":
        return Log(lambda line: os.write(2, line.encode()))
    try:
        handle = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"the audit log {place} cannot be written: {error.strerror}") from None
    return Log(lambda line: os.write(handle, line.encode()))


def _loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed: more statements a second."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


class _Worker:
    """One process."""

    def __init__(
        self,
        options: Options,
        found: _Found,
        numbers: Numbers,
        log: Log | None,
        number: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.options, self.found, self.numbers, self.folder, self.number = options, found, numbers, folder, number
        counters = numbers.of(number)
        self.proxy = Proxy(
            found.address,
            read_users(options.users),
            CachedRewriter(found.catalog, counters, log is not None),
            tls=options.tls,
            limits=options.limits,
            log=log,
            counters=counters,
            secret=mock_secret(options.users),
            worker=number,
            spare=options.spare,
        )
        self.proxy.total = lambda: numbers.total("connections")

    def look(self) -> Catalog:
        """The policy and the source as they are now."""
        return look_at_source(Policy.load(self.options.policy), self.options.source, self.options.accepted)[1]

    def trouble(self) -> str | None:
        """Why nobody is served."""
        if self.proxy.closed is not None:
            return self.proxy.closed
        return None if self.proxy.service.counters.get("ready") else "the source cannot be reached"

    async def main(self, ready: Callable[[], None], leash: int | None = None) -> None:
        """Serve until SIGTERM or SIGINT, or until ``leash`` ends because the parent has."""
        options, shared = self.options, self.folder is not None
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        if leash is not None:
            asyncio.get_running_loop().add_reader(leash, stop.set)
        mail = None
        if self.folder is not None:
            mail = Mail(self.folder, self.number, self.proxy.cancel)
            self.proxy.elsewhere = mail.send
        try:
            server = await self.proxy.serve(options.host, options.port, reuse_port=shared or None)
        except OSError as error:
            raise UsageError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from None
        watch = Watch(self.proxy, self.look, self.found.state, users=Path(options.users), say=_say)
        self.proxy.service.counters.set("ready", 1)
        watching = asyncio.get_running_loop().create_task(watch.run())
        if options.metrics_port is not None:
            await self._monitor(options.metrics_port, shared)
        if not shared:
            _say(f"Listening on {options.host}:{server.sockets[0].getsockname()[1]}")
        ready()
        stopping = asyncio.get_running_loop().create_task(stop.wait())
        await asyncio.wait((stopping, watching), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if leash is not None:
            asyncio.get_running_loop().remove_reader(leash)
        if watching.done():  # nobody would see that the views have changed: end, with the error
            await self.proxy.close()
            watching.result()
        watching.cancel()
        await self.proxy.drain(options.drain)
        if mail is not None:
            mail.close()

    async def _monitor(self, port: int, shared: bool) -> None:
        try:
            await Monitor(self.numbers.exposition, self.trouble).serve(self.options.host, port, reuse_port=shared)
        except OSError as error:
            raise UsageError(f"cannot listen on {self.options.host}:{port}: {error.strerror}") from None
