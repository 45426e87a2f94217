"""Processes that share a port, and the one that starts them, starts them again and ends them.

The parent has neither threads nor an event loop, so it can fork at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from dbmask.errors import DbmaskError, UsageError

__all__ = ["Mail", "reserve", "supervise"]

_SOON = 2.0
"""A worker that ends sooner than this, in seconds, has not worked."""
_TRIES = 5
_LOOK = 0.05
"""Seconds between looks at the workers."""


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds a port for the workers without listening. Raises UsageError where it is in use."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as alone:  # whether anybody is there: SO_REUSEPORT would join them
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            address = alone.getsockname()
        held = socket.socket(family, kind, proto)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
        return held
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from None


class Mail:
    """Carries keys of cancellations between workers: a datagram socket each, in a folder only this user can enter."""

    def __init__(self, folder: Path, worker: int, taken: Callable[[bytes], None]) -> None:
        self.folder, self.taken = folder, taken
        path = folder / str(worker)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def send(self, key: bytes) -> None:
        """Pass a key on to the worker whose number it begins with; a worker that is not there gets nothing."""
        with contextlib.suppress(OSError):
            self._socket.sendto(key, str(self.folder / str(key[0])))

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self.taken(self._socket.recv(64))

    def close(self) -> None:
        """Take no more."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


Work = Callable[[int, Callable[[], None], int], None]


def supervise(count: int, work: Work, listening: Callable[[], None]) -> int:
    """Run ``work(number, ready, leash)`` in ``count`` processes until SIGTERM or SIGINT; the exit status.

    ``listening`` is called once every worker has called its ``ready``. ``leash`` is a descriptor that ends when this
    process does. A worker that dies is started again; when workers end at once again and again, all are ended.
    """
    stopping: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    heard, tell = os.pipe()
    leash, held = os.pipe()
    os.set_blocking(heard, False)
    running = {_fork(n, work, tell, (heard, held), leash): (n, time.monotonic()) for n in range(count)}
    ready = failed = status = 0
    told = ending = False
    while running:
        with contextlib.suppress(BlockingIOError):
            ready += len(os.read(heard, count))
        if ready >= count and not told:
            told = True
            listening()
        if stopping and not ending:
            ending = True
            for child in running:
                os.kill(child, signal.SIGTERM)
        pid, ended = os.waitpid(-1, os.WNOHANG)
        if not pid:
            time.sleep(_LOOK)  # not blocked in waitpid: a signal that comes just before it would wait as well
            continue
        number, began = running.pop(pid)
        if stopping:
            continue
        failed = failed + 1 if time.monotonic() - began < _SOON else 0
        if failed >= _TRIES or (failed and not told):
            status = max(os.waitstatus_to_exitcode(ended), 1)
            stopping.append(signal.SIGTERM)
        else:
            running[_fork(number, work, tell, (heard, held), leash)] = (number, time.monotonic())
    for end in (heard, tell, leash, held):
        os.close(end)
    return status


def _fork(number: int, work: Work, tell: int, of_parent: tuple[int, int], leash: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        for end in of_parent:
            os.close(end)

        def ready() -> None:
            os.write(tell, b".")

        work(number, ready, leash)
        status = 0
    except DbmaskError as error:
        sys.stderr.write(f"Error: {error}\n")
    finally:
        if status and sys.exc_info()[1] is not None:
            traceback.print_exc()
        os._exit(status)  # what the parent has open is the parent's to close
