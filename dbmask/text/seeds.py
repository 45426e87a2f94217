"""Lists of words for ``seed_files``: a column of a CSV file, or a list that comes with the package."""

from __future__ import annotations

import csv
from pathlib import Path

from dbmask.errors import BindError
from dbmask.masks.base import nearest
from dbmask.text.builtin import builtin_list, builtin_names

__all__ = ["read_seed"]

_VENDOR = {
    ("DataMasque_firstNames_mixed.csv", "firstname-mixed"): "first_names",
    ("DataMasque_lastNames.csv", "lastnames"): "last_names",
}
"""Files that another tool brings with it; the built-in lists stand for them where no such file is there."""


def read_seed(seed_file: str, column: str | None, folder: Path) -> tuple[list[str], str]:
    """The distinct entries of a list, and a note for the plan where another list stands in for the one named.

    Raises BindError where file or column is not there, or holds nothing.
    """
    kind, _, name = seed_file.partition(":")
    if kind == "builtin":
        return _builtin(name), ""
    path = folder / Path(seed_file).expanduser()
    if not path.exists():
        stand_in = _VENDOR.get((Path(seed_file).name, column or ""))
        if stand_in is not None:
            return _builtin(stand_in), f"{seed_file} is not there; builtin:{stand_in} stands in for it"
        raise BindError(f"the seed file {seed_file!r} is not there", f"looked for {path}")
    return _column(path, seed_file, column), ""


def _builtin(name: str) -> list[str]:
    found = builtin_list(name)
    if found is None:
        hint = nearest(name, builtin_names()) or f"there are: {', '.join(builtin_names())}"
        raise BindError(f"there is no built-in list {name!r}", hint)
    return found


def _column(path: Path, shown: str, column: str | None) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            at = _index(header, column, shown)
            entries = [row[at].strip() for row in reader if len(row) > at]
    except OSError as error:
        raise BindError(f"the seed file {shown!r} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise BindError(f"the seed file {shown!r} is no CSV file in UTF-8") from None
    found = list(dict.fromkeys(e for e in entries if e))
    if not found:
        raise BindError(f"the seed file {shown!r} holds no entries in column {header[at]!r}")
    return found


def _index(header: list[str], column: str | None, shown: str) -> int:
    names = [name.strip() for name in header]
    if column is None and len(names) == 1:
        return 0
    if column is None:
        raise BindError(
            f"the seed file {shown!r} has several columns", f"name one with seed_column: {', '.join(names)}"
        )
    if column not in names:
        raise BindError(f"the seed file {shown!r} has no column {column!r}", nearest(column, names))
    return names.index(column)
