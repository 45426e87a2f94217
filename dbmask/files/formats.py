"""Formats of files, told by their names or said."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from dbmask.errors import UsageError
from dbmask.masks.base import nearest

__all__ = ["Format", "format_of"]


class Format(StrEnum):
    """What a file holds."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


_ENDINGS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}


def format_of(name: str | None, said: str | None, other: Format | None, role: str) -> Format:
    """The format of a file (None is a standard stream): as said, else by its ending, else as ``other``, the other end's.

    Raises UsageError where nothing tells it.
    """
    if said is not None:
        if said not in list(Format):
            hint = nearest(said, list(Format))
            raise UsageError(f"there is no format {said!r}" + (f" ({hint})" if hint else ""))
        return Format(said)
    found = _ENDINGS.get(Path(name).suffix.lower()) if name is not None else None
    if found is not None:
        return found
    if other is not None:
        return other
    raise UsageError(f"the format of the {role} cannot be told from its name: say csv, json, jsonl or parquet")
