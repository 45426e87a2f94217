"""Processes of a clone: started clean, told through a pipe what they need, and gone when their parent is."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dbmask import errors
from dbmask.errors import CannotShare, ConnectorError, DbmaskError
from dbmask.keys import KeyRing

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

__all__ = ["Spawned", "end_with_parent", "error_of", "packed_keys", "send", "unpacked_keys"]

_SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def _without_main() -> Iterator[None]:
    """A process that is spawned imports the caller's main module, and would run a script that is not guarded once more."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Spawned:
    """A process that runs ``main`` with its end of a pipe; :attr:`pipe` is this end."""

    def __init__(self, main: Callable[[Connection], None]) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(target=main, args=(theirs,), daemon=True)
        with _without_main():
            self.process.start()
        theirs.close()

    def tell(self, what: bytes) -> None:
        """Send it bytes; its death shows when it is read from."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send_bytes(what)

    def end(self) -> None:
        """Kill it where it still runs."""
        self.pipe.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()


def packed_keys(setup: Any) -> bytes:
    """A dataclass with a field ``keys``, as bytes: a key ring does not travel, its master does."""
    bare = replace(setup, keys=KeyRing(None, setup.keys.epoch))
    return pickle.dumps((bare, setup.keys.master if setup.keys.fingerprint() else None))


def unpacked_keys(data: bytes) -> Any:
    """What :func:`packed_keys` has packed."""
    setup, master = pickle.loads(data)  # noqa: S301 - from the parent process alone
    return replace(setup, keys=KeyRing(master, setup.keys.epoch))


def error_of(kind: str, text: str) -> DbmaskError:
    """What a process raised, by the name of its class."""
    made = getattr(errors, kind, None)
    plain = (ConnectorError, errors.SnapshotGone, CannotShare, errors.MaskError, errors.UsageError, DbmaskError)
    return made(text) if made in plain else DbmaskError(text)


def end_with_parent() -> None:
    """Let this process end with its parent, whatever it is doing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def send(pipe: Connection, what: str, body: Any) -> None:
    """Tell the parent, which may be gone."""
    with suppress(OSError):
        pipe.send((what, body))
