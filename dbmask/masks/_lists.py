"""Lists of values: from a column of a CSV file, or those that come with the package."""

from __future__ import annotations

import csv
from pathlib import Path

from dbmask.errors import BindError
from dbmask.masks._names import LOCALES, builtin
from dbmask.masks.base import nearest

__all__ = ["NAME_LISTS", "named_list", "read_list", "stand_in"]

_USAGES = {"first_names": "first", "last_names": "last"}
NAME_LISTS = tuple(sorted([*_USAGES, *(f"{kind}_{code}" for kind in _USAGES for code in LOCALES)]))
"""The lists of names, ``builtin:first_names_cs`` and so on; without a language a name stands for the lists of all."""

_STANDS_IN = {
    ("DataMasque_firstNames_mixed.csv", "firstname-mixed"): "first_names",
    ("DataMasque_lastNames.csv", "lastnames"): "last_names",
}
"""Files that another tool brings with it: where no such file is there, the built-in lists stand for them."""


def named_list(file: str, column: str | None) -> tuple[list[str], str]:
    """The values that ``file`` names, and a note where another list stands in for it.

    ``file`` is a path, or ``builtin:NAME``. Raises BindError where it is not there, or holds nothing.
    """
    kind, _, name = file.partition(":")
    if kind == "builtin":
        return _names(name), ""
    other = stand_in(file, column)
    if other is not None:
        return _names(other), f"{Path(file).name} is not there; builtin:{other} stands in for it"
    return read_list(Path(file).expanduser(), column), ""


def stand_in(file: str, column: str | None) -> str | None:
    """The built-in list that stands for a file of another tool's, where no such file is there."""
    path = Path(file).expanduser()
    return None if path.exists() else _STANDS_IN.get((path.name, column or ""))


def _names(name: str) -> list[str]:
    if name not in NAME_LISTS:
        hint = nearest(name, NAME_LISTS) or f"there are: {', '.join(NAME_LISTS)}"
        raise BindError(f"there is no built-in list {name!r}", hint)
    kind, codes = (name, LOCALES) if name in _USAGES else (name[:-3], (name[-2:],))
    tables = [builtin(code, _USAGES[kind]) for code in codes]
    return list(dict.fromkeys(n for table in tables for names in table.groups.values() for n in names))


def read_list(path: Path, column: str | None) -> list[str]:
    """The values of one column, in the file's order, blank ones left out. ``column`` may be None where there is one column only.

    Raises BindError where the file cannot be read, or has no such column or no values in it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            at = _place(path, header, column)
            values = [row[at] for row in rows if len(row) > at and row[at].strip()]
    except OSError as error:
        raise BindError(
            f"the file {path} cannot be read: {error.strerror}", "name a CSV file with a header line"
        ) from None
    except (UnicodeDecodeError, csv.Error):
        raise BindError(f"the file {path} is no CSV in UTF-8", "save it as CSV in UTF-8") from None
    if not values:
        raise BindError(f"column {header[at]!r} of {path} has no values", "name another column")
    return values


def _place(path: Path, header: list[str], column: str | None) -> int:
    if column is None and len(header) == 1:
        return 0
    if column is None:
        raise BindError(f"{path} has {len(header)} columns", f"name one with `column:` ({', '.join(header)})")
    if column not in header:
        raise BindError(f"{path} has no column {column!r}", f"it has {', '.join(header)}")
    return header.index(column)
