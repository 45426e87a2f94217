"""Patterns that need backtracking, on Python's ``re`` in a process of its own, which is ended when its time is up.

No thread can be stopped inside ``re``; a process can. It lives as long as the patterns are used, gets one text at a
time over a pipe, and holds nothing in between.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable

from dbmask.errors import BindError, MaskError

__all__ = ["BacktrackPattern"]

_WORKER = """
import json, re, sys
patterns = {}
for line in sys.stdin.buffer:
    pattern, text = json.loads(line)
    compiled = patterns.get(pattern) or patterns.setdefault(pattern, re.compile(pattern))
    spans = [m.span() for m in compiled.finditer(text)]
    sys.stdout.buffer.write(json.dumps(spans).encode() + b"\\n")
    sys.stdout.buffer.flush()
"""


class BacktrackPattern:
    """One pattern with its time limit in seconds for each text. Raises BindError where it is no pattern of ``re``."""

    gate = ""  # RE2 cannot say where such a pattern matches

    def __init__(self, pattern: str, time_limit: float) -> None:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            reason = error.msg if isinstance(error, re.error) else "it is too large"
            raise BindError(f"the pattern {pattern!r} is no regular expression of Python's re: {reason}") from None
        self._pattern = pattern
        self._limit = time_limit

    def locate(self, text: str, plain: bytes) -> Iterable[tuple[int, int]]:
        """All matches. Raises MaskError where the time limit passes."""
        return _worker().ask(self._pattern, text, self._limit)


class _Worker:
    """The process, started when it is first asked and again after it had to be ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        weakref.finalize(self, _end, self.__dict__)

    def ask(self, pattern: str, text: str, limit: float) -> list[tuple[int, int]]:
        """The spans of all matches of ``pattern`` in ``text``. Raises MaskError after ``limit`` seconds."""
        with self._lock:
            process = self._started()
            late = threading.Event()

            def end() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(limit, end)
            timer.start()
            try:
                line = _exchange(process, pattern, text)
            finally:
                timer.cancel()
            if late.is_set() or not line:
                _end(self.__dict__)
            if not line:
                reason = f"took longer than {limit:g} s on one text" if late.is_set() else "ended its process"
                raise MaskError(f"a pattern with `engine: re` {reason}")
        return [(start, end_) for start, end_ in json.loads(line)]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()  # after a fork the pipe belongs to the parent
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on our own program
                [sys.executable, "-I", "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            _exchange(self._process, "", "")  # its start is not counted
        return self._process


def _exchange(process: subprocess.Popen[bytes], pattern: str, text: str) -> bytes:
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(json.dumps([pattern, text]).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        return b""
    return process.stdout.readline()


def _end(state: dict[str, object]) -> None:
    process = state.get("_process")
    state["_process"] = None
    if isinstance(process, subprocess.Popen):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was not yet written went to a process that is gone


_LOCAL = threading.local()


def _worker() -> _Worker:
    made: _Worker | None = getattr(_LOCAL, "worker", None)
    if made is None:
        made = _LOCAL.worker = _Worker()
    return made
