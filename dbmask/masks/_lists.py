"""Lists of values from a column of a CSV file, for masks that choose from one."""

from __future__ import annotations

import csv
from pathlib import Path

from dbmask.errors import BindError

__all__ = ["read_list"]


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
