"""Where results go: a file that appears complete or not at all, or standard output once all is well."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dbmask.atomic import mode_of, synced
from dbmask.errors import DbmaskError, UsageError

__all__ = ["OutputError", "appearing"]


class OutputError(DbmaskError):
    """The output could not be written."""


@contextmanager
def appearing(path: str | None, stream: BinaryIO | None = None) -> Iterator[Path]:
    """A file to write to, in a folder of its own that only this user can read.

    When the block ends well it takes the place of ``path`` in one step, or is copied to ``stream`` (standard output where
    not given) where ``path`` is None. Where it does not end well, what was there stays, and nothing of the file is left.
    Raises UsageError where the place cannot be written to, OutputError where the disk is full.
    """
    target = None if path is None else Path(os.path.realpath(path))
    if target is not None and target.is_dir():
        raise UsageError(f"{path} is a folder: name a file for the output")
    try:
        folder = tempfile.mkdtemp(prefix=".dbmask-", dir=None if target is None else target.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    made = Path(folder) / "output"
    try:
        yield made
        if target is None:
            with made.open("rb") as file:
                shutil.copyfileobj(file, stream or sys.stdout.buffer, 1 << 20)
            (stream or sys.stdout.buffer).flush()
        elif target.exists() and not target.is_file():  # a device or a pipe keeps being one
            with made.open("rb") as file, target.open("wb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
        else:
            synced(made)
            made.chmod(mode_of(target))
            os.replace(made, target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path or 'standard output'} could not be written: {error.strerror}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
