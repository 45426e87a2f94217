"""A text file that appears complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dbmask.atomic import appearing

__all__ = ["writing"]


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file beside ``path`` that takes its place when the block ends well.

    Where it does not, what was there stays. Raises UsageError where the place cannot be written to.
    """
    with appearing(path) as made, made.open("w", encoding="utf-8", newline="") as out:
        yield out
