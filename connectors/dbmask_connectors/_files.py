"""Databases that are one file: paths from URLs, identity, and a replica built beside its target and moved into place.

A file being built is locked with flock for as long as its process lives, so that a later run can tell the remains of
a dead one from the work of a living one, across containers too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from dbmask.errors import ConnectorError, UsageError

__all__ = ["Building", "file_identity", "path_of", "source_path"]

_MARK = ".dbmask-building-"


def path_of(url: str, scheme: str, example: str) -> Path:
    """The absolute path, links resolved, of the file that ``scheme:///path`` names.

    Raises UsageError where the URL names no file, or says more than one.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(f"this is no {scheme} URL; write {example}") from None
    database = parsed.database
    if not database or database == ":memory:":
        raise UsageError(f"a {scheme} URL names a file; write {example}")
    if parsed.host or database.startswith("file:") or parsed.query:
        raise UsageError(
            f"a {scheme} URL holds a path and nothing else; write {example}, with four slashes if absolute"
        )
    return Path(database).expanduser().resolve()


def source_path(path: Path) -> Path:
    """The path of a file that can be read. Raises ConnectorError where there is none; never creates one."""
    # The file is not opened to see: closing it would drop the locks that this process holds on it (POSIX).
    if not path.exists():
        raise ConnectorError(f"there is no file {path}")
    if not path.is_file():
        raise ConnectorError(f"{path} is not a file")
    if not os.access(path, os.R_OK):
        raise ConnectorError(f"{path} cannot be read: permission denied")
    return path


def file_identity(path: Path) -> str:
    """Device and inode of a file, the same through every link; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"file:{found.st_dev}:{found.st_ino}"


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


class Building:
    """A file under construction, in the directory of the one it will replace; nobody else may read it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path: Path | None = None
        self._lock: int | None = None
        self._mode = 0o600

    def check_directory(self) -> None:
        """Raise UsageError unless the target's directory is there and can be written."""
        folder = self.target.parent
        if not folder.is_dir():
            raise UsageError(f"the directory {folder} does not exist")
        if self.target.is_dir():
            raise UsageError(f"{self.target} is a directory")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"the directory {folder} cannot be written: permission denied")

    def start(self) -> Path:
        """Clear what dead runs left, and return the path of the new file, which is empty and locked. Raises ConnectorError."""
        self.check_directory()
        self._clear_dead()
        name = f".{self.target.name}{_MARK}{os.getpid()}-{secrets.token_hex(4)}"
        path = self.target.with_name(name)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            self.path, self._lock = path, lock
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # What the umask leaves of 0666 is what the finished file gets, unless it replaces one.
            self._mode = os.fstat(lock).st_mode & 0o777
            os.fchmod(lock, 0o600)
        except OSError as error:
            self.remove()
            raise ConnectorError(f"no file can be made in {path.parent}: {_reason(error)}") from None
        return path

    def _clear_dead(self) -> None:
        prefix = f".{self.target.name}{_MARK}"
        for path in list(self.target.parent.iterdir()):
            tail = path.name.removeprefix(prefix)
            if tail == path.name or not path.is_file() or not set(tail) <= set("0123456789abcdef-"):
                continue
            with contextlib.suppress(OSError), _locked(path):
                _unlink_with_sidecars(path)

    def publish(self) -> None:
        """Move the file, which no connection may still hold open, into the target's place. Raises ConnectorError."""
        if self.path is None or self._lock is None:
            raise ConnectorError(f"{self.target}: nothing is being built")
        try:
            with contextlib.suppress(FileNotFoundError):
                self._mode = self.target.stat().st_mode & 0o777
            os.fchmod(self._lock, self._mode)
            os.fsync(self._lock)
            os.replace(self.path, self.target)
            folder = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ConnectorError(f"{self.target} could not be replaced: {_reason(error)}") from None
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self.path = self._lock = None

    def remove(self) -> None:
        """Remove the file and all that stands beside it; a second call does nothing."""
        if self.path is not None:
            _unlink_with_sidecars(self.path)
        self._release()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _unlink_with_sidecars(path: Path) -> None:
    for suffix in ("-journal", "-wal", "-shm", ".wal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)
