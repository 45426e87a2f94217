"""CSV as text: every field as it was written, the line of every row, and the line ends of the file."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from dbmask.errors import MaskError, UsageError
from dbmask.files.problems import InputError
from dbmask.spi import Batch

__all__ = ["CsvSink", "CsvText", "cell"]

_LINE_ENDS = ("\r\n", "\n", "\r")


@dataclass
class CsvText:
    """An open CSV text. ``header`` names its columns; ``newline`` is how its first line ends; ``header_lines`` counts its lines.

    Raises InputError for a header that cannot be used or a text that is empty, UsageError for a delimiter or an encoding that is none.
    """

    name: str
    stream: BinaryIO
    delimiter: str = ","
    encoding: str = "utf-8"
    header: list[str] = field(default_factory=list)
    newline: str = "\n"
    header_lines: int = 0
    lines: list[int] = field(default_factory=list)
    """The last line of each row of the batch read last."""

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise UsageError("the delimiter is one character, and no quote or line break")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise UsageError(f"there is no encoding {self.encoding!r}") from None
        # Fields may be as long as memory allows; the module's own limit is 128 KB.
        csv.field_size_limit(2**31 - 1)
        encoding = "utf-8-sig" if codecs.lookup(self.encoding).name == "utf-8" else self.encoding
        self._text = io.TextIOWrapper(self.stream, encoding=encoding, newline="")
        self._reader = csv.reader(self._noting(self._text), delimiter=self.delimiter, strict=True)
        found = self._next()
        if found is None:
            raise InputError(f"{self.name} is empty: its first line must name the columns")
        self.header = found
        self.header_lines = self._reader.line_num
        twice = next((n for i, n in enumerate(found) if n in found[:i]), None)
        if twice is not None:
            raise InputError(f"{self.name}:{self.header_lines}: the header names {twice!r} twice")

    def _noting(self, text: io.TextIOWrapper) -> Iterator[str]:
        first = next(text, None)
        if first is not None:
            self.newline = next((end for end in _LINE_ENDS if first.endswith(end)), "\n")
            yield first
            yield from text

    def _next(self) -> list[str] | None:
        """The next row that is not a blank line, or None at the end."""
        while True:
            try:
                row = next(self._reader)
            except StopIteration:
                return None
            except csv.Error as error:
                raise InputError(f"{self.name}:{self._reader.line_num}: is not CSV: {error}") from None
            except UnicodeError:
                raise InputError(f"{self.name}:{self._reader.line_num + 1}: is not {self.encoding}") from None
            if row:
                return row

    def batches(self, rows: int, limit: int | None = None) -> Iterator[Batch]:
        """Columns in the order of the header. A short row's missing cells are None. Raises InputError for surplus cells."""
        width = len(self.header)
        done = 0
        while limit is None or done < limit:
            self.lines = []
            batch = list(islice(self._rows(width), rows if limit is None else min(rows, limit - done)))
            if not batch:
                return
            done += len(batch)
            yield [list(column) for column in zip(*batch, strict=True)]

    def _rows(self, width: int) -> Iterator[Sequence[str | None]]:
        while (row := self._next()) is not None:
            self.lines.append(self._reader.line_num)
            if len(row) == width:
                yield row
            elif len(row) < width:
                yield [*row, *[None] * (width - len(row))]
            else:
                where = f"{self.name}:{self._reader.line_num}"
                raise InputError(f"{where}: has {len(row)} fields, and the header has {width}")


class CsvSink:
    """Rows into a CSV file. ``newline`` ends its lines."""

    def __init__(
        self, path: Path, columns: Sequence[str], delimiter: str = ",", encoding: str = "utf-8", newline: str = "\n"
    ) -> None:
        self._file = path.open("w", encoding=encoding, newline="")
        self._newline = newline
        # The module quotes only those line breaks that it ends lines with: it is given both, and the ends are changed.
        self._lines = _Lines()
        self._writer = csv.writer(self._lines, delimiter=delimiter, lineterminator="\r\n")
        self.write([[name] for name in columns])

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises MaskError where the encoding has no such character."""
        try:
            self._writer.writerows(zip(*(_cells(column) for column in batch), strict=True))
            self._file.write(self._newline.join(self._lines.taken()))
        except UnicodeEncodeError:
            raise MaskError("a masked text has characters that the encoding lacks: use --encoding utf-8") from None

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class _Lines:
    """What a csv.writer writes to: lines without their ends."""

    def __init__(self) -> None:
        self._made: list[str] = []
        self.write = lambda line: self._made.append(line[:-2])

    def taken(self) -> list[str]:
        """The lines so far, and an empty one to end the last."""
        made = [*self._made, ""]
        self._made.clear()
        return made


def _cells(column: list[Any]) -> list[Any]:
    if set(map(type, column)) <= {str, int, type(None)}:
        return column
    return [cell(value) for value in column]


def cell(value: Any) -> Any:
    """A value as it stands in CSV: JSON's words for booleans and nested values, numbers as they were written."""
    from dbmask.files.json_text import dumps

    if value is None or type(value) in (str, int):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return dumps(value) if isinstance(value, bool | float | dict | list) else str(value)
