"""A file's table through its plan: one DuckDB statement where all masks are SQL, batches through Python where not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmask.engine import masked_batches
from dbmask.errors import MaskError, UsageError
from dbmask.files.beside import Beside, joined, python_part, suits
from dbmask.files.binding import refusal
from dbmask.files.csv_text import CsvText
from dbmask.files.duck import PARQUET_WRITTEN, Duck, QueryFailed, literal, quoted, read_csv, rendered
from dbmask.files.formats import Format
from dbmask.files.sinks import RowSink, Style, sink_for
from dbmask.files.tables import SCHEMA, FilePlan, is_nested
from dbmask.keys import KeyRing
from dbmask.planner import Reading, pads_for, reading
from dbmask.spi import Batch, Pads

__all__ = ["QUICK", "Destination", "Watch", "by_batches", "by_duckdb", "is_large", "located", "suits_duckdb"]

_BATCH = 10_000
QUICK = 1 << 20
"""Files of fewer bytes are through in Python before DuckDB has started."""


@dataclass(frozen=True)
class Destination:
    """Where the masked table goes; ``limit`` is how many rows at most."""

    form: Format
    path: Path
    style: Style
    limit: int | None = None


class Watch:
    """Looks for values other than the default under generalized columns."""

    def __init__(self, plan: FilePlan) -> None:
        self._left = {plan.plan.writes.index(name): text for name, text in plan.watched.items()}
        self._names = plan.plan.writes
        self._met: set[int] = set()

    def see(self, batch: Batch) -> None:
        """Note what a masked batch holds."""
        for place, default in list(self._left.items()):
            values = {v for v in batch[place] if v is not None}
            if values - {default}:
                del self._left[place]
            elif values:
                self._met.add(place)

    def only_default(self) -> list[str]:
        """Columns whose every value became the default."""
        return [self._names[place] for place in self._left if place in self._met]


def is_large(path: str) -> bool:
    """Whether a file is large enough for DuckDB to be worth its start."""
    return os.path.isfile(path) and os.path.getsize(path) >= QUICK


def suits_duckdb(text: CsvText, path: str) -> bool:
    """Whether DuckDB reads this CSV as Python does: a file in UTF-8, without spaces around quotes."""
    if not os.path.isfile(path) or len(text.header) < 2:
        return False
    if text.header_lines != 1 or not text.delimiter.isascii() or text.encoding.lower().replace("-", "") != "utf8":
        return False
    if text.newline == "\r" or any("\0" in name or not name for name in text.header):
        return False
    folded = [name.casefold() for name in text.header]  # names that differ in case alone are one to DuckDB
    return len(set(folded)) == len(folded) and not _spaced_quotes(path, text.delimiter)


def _spaced_quotes(path: str, delimiter: str) -> bool:
    """Whether a quote is parted from its delimiter by a space, which is part of the field to CSV and not to DuckDB."""
    edges = f"{delimiter}\r\n".encode()
    # Into one buffer, whose beginning is the end of what was read before.
    buffer = bytearray(b"\n" * (_MARGIN + (1 << 20)))
    with open(path, "rb", buffering=0) as file, memoryview(buffer) as view:
        ended = False
        while not ended:
            count = file.readinto(view[_MARGIN:]) or 0
            ended = not count
            if ended:
                buffer[_MARGIN], count = 10, 1
            end = _MARGIN + count
            for found in _BESIDE.finditer(view, 0, end):
                at = found.start()
                if _ends_at(view[:end], at - 1, -1, edges) or _ends_at(view[:end], at + 1, 1, edges):
                    return True
            view[:_MARGIN] = bytes(view[end - _MARGIN : end])
    return False


_MARGIN = 64
# A quote beside a space. It begins with the quote, so that the search goes from quote to quote.
_BESIDE = re.compile(rb'"(?: |(?<= "))')


def _ends_at(data: memoryview, at: int, step: int, edges: bytes) -> bool:
    """Whether spaces, one at least, lead from ``at`` to the edge of a field (or further than is looked)."""
    if not 0 <= at < len(data) or data[at] != 32:
        return False
    for _ in range(_MARGIN):
        if not 0 <= at < len(data):  # seen whole with the chunk before or after
            return False
        if data[at] in edges:
            return True
        if data[at] != 32:
            return False
        at += step
    return True


def by_duckdb(duck: Duck, source: str, plan: FilePlan, keys: KeyRing, to: Destination, watch: Watch) -> int:
    """Write the masked table; return how many rows. ``source`` is a table function. Raises UsageError, QueryFailed and MaskError."""
    made = reading(plan.plan, "duckdb")
    if not made.writes:
        raise UsageError("every column is dropped: nothing would be written")
    _view(duck, source, plan, to.form)
    pads = pads_for([made.query], keys)
    duck.use_keys(pads)
    query = made.query if to.limit is None else made.query.limit(to.limit)
    sql = rendered(query)
    if plan.plan.pushed_down and to.form in (Format.CSV, Format.PARQUET) and to.style.encoding == "utf-8":
        rows = int(duck.run(_copy(duck, sql, to))[0][0])
        _look(duck, plan, to, watch)
        return rows
    if to.limit is None and to.style.encoding == "utf-8" and suits(duck, plan, made, to.form):
        rows = _by_columns(duck, source, plan, made, to)
        _look(duck, plan, to, watch)
        return rows
    return by_batches(_DuckReader(duck, sql), plan, to, watch, _row_place)


def _by_columns(duck: Duck, source: str, plan: FilePlan, made: Reading, to: Destination) -> int:
    """The columns of Python's masks first, then all; how many rows."""
    part = python_part(made)
    beside = Beside(to.path, plan, part, to.form)
    reader = _DuckReader(duck, rendered(part.query))
    try:
        _masked(reader, part, beside.write, _row_place)
    finally:
        beside.close()
    rows = int(duck.run(_copy(duck, joined(duck, source, plan, made, beside), to))[0][0])
    if rows != beside.rows:
        raise MaskError("the file changed while it was read")
    return rows


def _view(duck: Duck, source: str, plan: FilePlan, form: Format) -> None:
    """The file as the table that the plan reads."""
    shown = []
    for name, type_ in duck.columns(f"SELECT * FROM {source}"):  # noqa: S608 - a table function over a literal
        known = quoted(name)
        if name in plan.as_text:
            shown.append(f"CAST({known} AS VARCHAR) AS {known}")
        elif is_nested(type_) and form is not Format.PARQUET:
            shown.append(f"CAST(to_json({known}) AS VARCHAR) AS {known}")
        else:
            shown.append(known)
    view = f"{SCHEMA}.{quoted(plan.plan.table.name.name)}"
    duck.run(f"CREATE OR REPLACE VIEW {view} AS SELECT {', '.join(shown)} FROM {source}")  # noqa: S608


def _copy(duck: Duck, sql: str, to: Destination) -> str:
    path = literal(str(to.path))
    if to.form is Format.PARQUET:
        return f"COPY ({sql}) TO {path} (FORMAT parquet, {PARQUET_WRITTEN})"
    columns = duck.columns(sql)
    # An empty text would be written as two quotes; alone on its line it has to be.
    names = [quoted(n) for n, _ in columns]
    if len(columns) > 1:
        names = [f"nullif({n}, '') AS {n}" if t == "VARCHAR" else n for n, (_, t) in zip(names, columns, strict=True)]
    else:
        names = [f"coalesce(CAST({n} AS VARCHAR), '') AS {n}" for n in names]
    style = f"DELIMITER {literal(to.style.delimiter)}, NEW_LINE {literal(to.style.newline)}"
    return f"COPY (SELECT {', '.join(names)} FROM ({sql})) TO {path} (FORMAT csv, HEADER true, {style})"  # noqa: S608


def _look(duck: Duck, plan: FilePlan, to: Destination, watch: Watch) -> None:
    """Look at what was written until each watched column has shown another value than its default."""
    if not plan.watched:
        return
    path = duck.path(to.path)
    written = plan.plan.writes
    source = f"read_parquet({path})" if to.form is Format.PARQUET else read_csv(path, written, to.style.delimiter)
    for name, default in plan.watched.items():
        batch: Batch = [[] for _ in written]
        differs = f"{quoted(name)} <> {literal(default)} AND {quoted(name)} <> ''"
        for condition in (differs, f"{quoted(name)} = {literal(default)}"):
            found = duck.run(f"SELECT {quoted(name)} FROM {source} WHERE {condition} LIMIT 1")  # noqa: S608
            if found:
                batch[written.index(name)] = [found[0][0]]
                break
        watch.see(batch)


class _DuckReader:
    """A query that runs once; see Reader."""

    position = ""

    def __init__(self, duck: Duck, sql: str) -> None:
        self._duck = duck
        self._sql = sql
        self.done = 0
        self.last: Batch = []

    def use_keys(self, pads: Pads) -> None:
        """Nothing: the session has them."""

    def read(self, query: Any, batch_rows: int = _BATCH) -> Iterator[Batch]:
        """The rows."""
        for batch in self._duck.stream(self._sql, batch_rows):
            self.last = batch
            yield batch
            self.done += len(batch[0])


def _row_place(reader: Any, at: int) -> str:
    return f"row {reader.done + at + 1}"


@dataclass
class TextReader:
    """A CSV text as the reader of a query over its columns."""

    text: CsvText
    limit: int | None = None
    position: str = ""

    def __post_init__(self) -> None:
        self.last: Batch = []

    def use_keys(self, pads: Pads) -> None:
        """Nothing: no mask runs here."""

    def read(self, query: Any, batch_rows: int = _BATCH) -> Iterator[Batch]:
        """The query's columns, which are plain ones."""
        places = [self.text.header.index(e.this.name) for e in query.expressions]
        for batch in self.text.batches(batch_rows, self.limit):
            self.last = [batch[i] for i in places]
            yield self.last

    def place(self, at: int) -> str:
        """Where row ``at`` of the last batch stands."""
        return f"{self.text.name}:{self.text.lines[at]}"


def by_batches(reader: Any, plan: FilePlan, to: Destination, watch: Watch, place: Callable[[Any, int], str]) -> int:
    """Read, mask and write batch by batch; return how many rows. Raises UsageError, and MaskError naming row and column."""
    made = reading(plan.plan, "duckdb")
    if not made.writes:
        raise UsageError("every column is dropped: nothing would be written")
    rows = 0
    with ExitStack() as stack:
        sink: RowSink = sink_for(to.form, to.path, made.writes, plan.types, to.style)
        stack.callback(sink.close)

        def write(batch: Batch) -> None:
            nonlocal rows
            watch.see(batch)
            sink.write(batch)
            rows += len(batch[0])

        _masked(reader, made, write, place)
    return rows


def _masked(reader: Any, made: Reading, write: Callable[[Batch], None], place: Callable[[Any, int], str]) -> None:
    try:
        for batch in masked_batches(reader, made, _BATCH):
            write(batch)
    except QueryFailed:
        raise
    except MaskError as error:
        raise located(reader, made, place) or error from None


def located(reader: Any, made: Reading, place: Callable[[Any, int], str]) -> MaskError | None:
    """The error of the last batch, said of the first row that has it."""
    for unit, inputs, _ in made.leftover:
        if getattr(unit.bound, "whole_column", False):
            continue
        columns = [reader.last[i] for i in inputs]
        for at, row in enumerate(zip(*columns, strict=True)):
            try:
                unit.bound.apply([[value] for value in row])
            except MaskError:
                name = ", ".join(unit.bound.outputs)
                return MaskError(f"{place(reader, at)}: field {name!r}: {refusal(unit.mask.name)}")
    return None
