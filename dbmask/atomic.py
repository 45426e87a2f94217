"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dbmask.errors import UsageError

__all__ = ["appearing", "mode_of", "replacing", "require_place", "synced", "write_named", "write_text"]


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[Path]:
    """An empty file beside ``path`` that only this user can read, and that takes its place when the block ends well.

    Where it does not, what was there stays, and nothing of the file is left. It gets ``mode``, else the permissions of
    :func:`mode_of`. Raises OSError.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        yield made
        synced(made)
        made.chmod(mode_of(path) if mode is None else mode)
        os.replace(made, path)
    finally:  # Ctrl-C too: nothing half-done stays
        made.unlink(missing_ok=True)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """As :func:`replacing`, for a place that the user named. Raises UsageError where it cannot be written to."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(replacing(path))
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        yield made


def require_place(path: Path, hint: str = "") -> None:
    """Say before a long run what would be found at its end: raises UsageError where no file can be made at ``path``."""
    why = ""
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        why = f"no file may be made in {path.parent}"
    if why:
        raise UsageError(f"{path} cannot be written: {why}" + (f" ({hint})" if hint else ""))


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Write a UTF-8 text as :func:`replacing` does. Raises OSError."""
    with replacing(path, mode) as made:
        made.write_text(text, "utf-8")


def write_named(path: Path, text: str, mode: int | None = None) -> None:
    """As :func:`write_text`, of a place that the user named. Raises UsageError."""
    try:
        write_text(path, text, mode)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def synced(path: Path) -> None:
    """Let a file survive a crash of the machine before it gets its name. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def mode_of(path: Path) -> int:
    """The permissions of what is replaced, else those that a new file would have."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
