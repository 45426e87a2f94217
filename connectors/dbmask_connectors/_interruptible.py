"""Long statements that Ctrl-C ends at once.

Python sees a signal between its own instructions only: not while a library runs a statement, and within a function that
SQLite calls it would be taken for that function's failure. So statements run on a thread of their own, and the signal
reaches the thread that waits for them, which tells the library to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

__all__ = ["Interruptible"]

T = TypeVar("T")


class Interruptible:
    """Runs one call after the other; ``stop`` is what ends a call from outside."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dbmask-statement")

    def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call something and wait for it, or for Ctrl-C."""
        future = self._thread.submit(call, *arguments)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._stop()
            wait([future])
            raise

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
