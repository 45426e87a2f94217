"""What may be wrong with a file's content."""

from __future__ import annotations

from dbmask.errors import DbmaskError

__all__ = ["InputError"]


class InputError(DbmaskError):
    """A file does not hold what it should: says file and line, never a value."""
