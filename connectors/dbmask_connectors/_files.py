"""Databases that are one file: paths from URLs, identity, and a replica built beside its target and moved into place.

What is being built stands in a directory of its own, which is locked (flock) for as long as its process lives: a later
run can tell the remains of a dead one from the work of a living one, across containers too.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import secrets
import shutil
import threading
from collections.abc import Collection
from pathlib import Path

from dbmask.errors import ConnectorError, UsageError
from dbmask.spi import Previous
from dbmask_connectors._kept import STAMP, replaced_at, stamp_after

__all__ = ["Building", "exchange", "file_identity", "path_of", "previous", "settings_of", "source_path"]

_MARK = ".dbmask-building-"
_WAS = ".dbmask-was-"


def path_of(url: str, scheme: str, example: str, settings: frozenset[str] = frozenset()) -> Path:
    """The absolute path, links resolved, of the file that ``scheme:///path`` names; ``settings`` may follow it.

    Raises UsageError where the URL names no file, or says more than that.
    """
    database, host, query = _parsed(url, scheme, example)
    if not database or database == ":memory:":
        raise UsageError(f"a {scheme} URL names a file; write {example}")
    unknown = sorted(set(query) - settings)
    if unknown:
        there = f"there are: {', '.join(sorted(settings))}" if settings else "there are none"
        raise UsageError(f"a {scheme} URL has no setting {unknown[0]!r}; {there}")
    if host or database.startswith("file:"):
        raise UsageError(
            f"a {scheme} URL holds a path and nothing else; write {example}, with four slashes if absolute"
        )
    return Path(database).expanduser().resolve()


def _parsed(url: str, scheme: str, example: str) -> tuple[str | None, str | None, Collection[str]]:
    """Database, host and names of settings, as SQLAlchemy reads a URL. It is long to load, and a path alone needs it not."""
    plain = f"{scheme}:///"
    if url.startswith(plain) and not {"?", "@", "%"} & set(url):
        return url.removeprefix(plain), None, ()
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(f"this is no {scheme} URL; write {example}") from None
    return parsed.database, parsed.host, parsed.query


def settings_of(url: str) -> dict[str, str]:
    """The settings that follow the path of a URL that :func:`path_of` has let pass."""
    if "?" not in url:
        return {}
    from sqlalchemy.engine import make_url

    return {name: value if isinstance(value, str) else value[-1] for name, value in make_url(url).query.items()}


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
    """A directory beside the target, closed to others, in which the file is made that will take the target's place."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder: Path | None = None
        self._lock: int | None = None

    @property
    def path(self) -> Path:
        """Where the new file is made. Raises ConnectorError where nothing is being built."""
        if self.folder is None:
            raise ConnectorError(f"{self.target}: nothing is being built")
        return self.folder / "replica"

    def check_directory(self) -> None:
        """Raise UsageError unless the target's directory is there and can be written."""
        parent = self.target.parent
        if not parent.is_dir():
            raise UsageError(f"the directory {parent} does not exist")
        if self.target.is_dir():
            raise UsageError(f"{self.target} is a directory")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise UsageError(f"the directory {parent} cannot be written: permission denied")

    def start(self) -> Path:
        """Clear what dead runs left and return the path of the new file, which is not there yet. Raises ConnectorError."""
        self.check_directory()
        self._clear_dead()
        folder = self.target.with_name(f".{self.target.name}{_MARK}{os.getpid()}-{secrets.token_hex(4)}")
        try:
            folder.mkdir(mode=0o700)
            self.folder = folder
            self._lock = _locked(folder)
        except OSError as error:
            self.remove()
            raise ConnectorError(f"no file can be made in {folder.parent}: {_reason(error)}") from None
        return self.path

    def _clear_dead(self) -> None:
        name = re.compile(re.escape(f".{self.target.name}{_MARK}") + r"\d+-[0-9a-f]{8}\Z")
        for folder in list(self.target.parent.iterdir()):
            if name.match(folder.name):
                # A lock that is held, or a directory that is somebody else's, is left alone.
                with contextlib.suppress(OSError):
                    lock = _locked(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(lock)

    def publish(self, keep: int = 0) -> None:
        """Move the file, which no connection may still hold open, into the target's place. Raises ConnectorError.

        The file that was there stays beside it, under another name, with up to ``keep`` that were kept in all.
        """
        path = self.path
        kept = keep_beside(self.target) if keep else None
        try:
            with contextlib.suppress(FileNotFoundError):
                path.chmod(self.target.stat().st_mode & 0o777)
            _sync(path, os.O_RDONLY)
            os.replace(path, self.target)
            _sync(self.target.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if kept is not None:
                kept.unlink(missing_ok=True)
            raise ConnectorError(f"{self.target} could not be replaced: {_reason(error)}") from None
        self.remove()
        prune(self.target, keep)

    def write_back(self) -> None:
        """Let the disk begin with what :meth:`publish` waits for, while the replica is verified.

        Closing its descriptor gives up the POSIX locks that this process has on the file; nobody else can reach a file
        that is being built, so that these guard nothing.
        """
        path = self.path

        def begin() -> None:
            with contextlib.suppress(OSError):  # it is gone, or publish() meets the same fault
                _sync(path, os.O_RDONLY)

        threading.Thread(target=begin, daemon=True).start()

    def remove(self) -> None:
        """Remove the directory and all that is in it; a second call does nothing."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self.folder = self._lock = None


def _locked(folder: Path) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stamps(target: Path) -> dict[str, Path]:
    """Stamp -> file, of what was replaced and kept. A second name of the file that serves is none: its run died half-way."""
    name = re.compile(re.escape(f"{target.name}{_WAS}") + rf"({STAMP})\Z")
    try:
        beside = list(target.parent.iterdir())
    except OSError:
        return {}
    matches = [(name.match(path.name), path) for path in beside]
    return {m[1]: p for m, p in matches if m is not None and file_identity(p) != file_identity(target)}


def previous(target: Path) -> list[Previous]:
    """What is kept beside a target, the latest first."""
    return [Previous(str(path), replaced_at(stamp)) for stamp, path in sorted(_stamps(target).items(), reverse=True)]


def keep_beside(target: Path) -> Path | None:
    """Give the file that serves a second name, under which it stays when another takes its place. Raises ConnectorError."""
    if not target.exists() or target.stat().st_size == 0:
        return None
    for path in target.parent.glob(f"{glob.escape(target.name + _WAS)}*"):
        if file_identity(path) == file_identity(target):
            path.unlink()
    kept = target.with_name(f"{target.name}{_WAS}{stamp_after(_stamps(target))}")
    try:
        os.link(target, kept)
    except OSError as error:
        raise ConnectorError(
            f"{target} cannot be kept beside its successor: {_reason(error)} (--keep-previous 0 does without)"
        ) from None
    return kept


def prune(target: Path, count: int) -> None:
    """Remove all but the latest ``count`` kept files."""
    for kept in previous(target)[count:]:
        Path(kept.name).unlink(missing_ok=True)


def exchange(target: Path, kept: Path) -> None:
    """Put a kept file in the target's place; the one that served is kept in its stead. Raises UsageError and ConnectorError."""
    if str(kept) not in {p.name for p in previous(target)}:
        raise UsageError(f"{kept} is no replica that was kept beside {target}")
    instead = keep_beside(target)
    try:
        os.replace(kept, target)
        _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if instead is not None:
            instead.unlink(missing_ok=True)
        raise ConnectorError(f"{target} could not be replaced: {_reason(error)}") from None
