"""Long statements that Ctrl-C ends at once.

Python sees a signal between its own instructions only: not while a library runs a statement, and within a function that
SQLite calls it would be taken for that function's failure. So statements run on a thread of their own, and the signal
reaches the thread that waits for them, which tells the library to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

__all__ = ["Interruptible"]

T = TypeVar("T")

_AGAIN_SECONDS = 0.05


class Interruptible:
    """Runs one call after the other; ``stop`` is what ends a call from outside."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dbmask-statement")
        self._thread.submit(int).result()  # the thread is there before a signal can meet its start

    def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call something and wait for it, or for Ctrl-C."""
        future: Future[T] = Future()
        try:
            self._thread.submit(_fulfil, future, call, arguments)
            return future.result()
        except BaseException:
            self._end(future)
            raise

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _end(self, future: Future[T]) -> None:
        """Wait for a call that was interrupted, wherever the signal met it: not begun, about to begin, or running.

        A library told to stop before its statement runs would run it all the same, so it is told until it has ended.
        """
        if future.cancel():
            return
        while not wait([future], timeout=_AGAIN_SECONDS).done:
            self._stop()


def _fulfil(future: Future[T], call: Callable[..., T], arguments: tuple[Any, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call(*arguments)
    except BaseException as error:  # whoever waits gets it
        future.set_exception(error)
    else:
        future.set_result(result)
