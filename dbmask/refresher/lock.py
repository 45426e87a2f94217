"""One run of a job at a time: a lock on a file, which the operating system releases when its process is gone."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbmask.errors import ConnectorError, UsageError

__all__ = ["only_run"]


@contextmanager
def only_run(folder: Path, job: str, place: str) -> Iterator[None]:
    """Hold the lock of a job into a place. Raises UsageError where there is no place for it, ConnectorError where it is held."""
    name = hashlib.sha256(f"{job}\0{place}".encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / f"refresh-{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"the state directory {folder} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConnectorError(f"job {job} is running already, in process {_holder(handle)}") from None
        os.truncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    return os.pread(handle, 20, 0).decode("ascii", "replace") or "?"
