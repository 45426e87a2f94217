"""JSON records as a table of a policy: columns are the fields of all records, known when the last one was read.

Records wait on disk meanwhile, encrypted. A field that a record does not have stays absent where the output is JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from dbmask.engine import fresh_reports, masked_batches
from dbmask.engine.spool import Spool
from dbmask.errors import BindError, MaskError, UsageError
from dbmask.files.binding import JSON, TEXT
from dbmask.files.copying import located
from dbmask.files.formats import Format
from dbmask.files.job import FileJob, FileResult
from dbmask.files.json_text import JsonSink, JsonText, document, dumps
from dbmask.files.numbers import NumberText
from dbmask.files.sinks import Style, sink_for
from dbmask.files.tables import FilePlan, plan_of_policy
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns
from dbmask.planner import reading
from dbmask.policy.model import Policy
from dbmask.schema import Column, ColumnType, Kind
from dbmask.spi import Batch, Pads

__all__ = ["mask_records_as_table"]

_BATCH = 1_000
_INTEGER = ColumnType(Kind.INTEGER, "BIGINT", bits=64)
_FLOAT = ColumnType(Kind.FLOAT, "DOUBLE", bits=64)
_NESTED = {dict, list}
_BOOLEAN = ColumnType(Kind.BOOLEAN, "BOOLEAN")


def mask_records_as_table(job: FileJob, policy: Policy, text: JsonText, target: Format, output: Path) -> FileResult:
    """Mask JSON records by a policy; see mask_file. Values of a field that come in several types are masked as texts. Raises UsageError."""
    kinds: dict[str, set[type]] = {}
    with Spool() as spool:
        for batch in text.batches(_BATCH, job.limit):
            for record in batch:
                for name, value in record.items():
                    kinds.setdefault(name, set()).add(type(value))
            spool.write([batch, list(text.lines)])
        columns = [Column(name, _type(found)) for name, found in kinds.items()]
        name = job.table or (Path(job.source).stem if job.source else "stdin")
        plan = plan_of_policy(columns, policy, job.keys, name).in_python()
        if plan.plan.filter is not None:
            raise UsageError("`where:` needs a CSV or Parquet file")
        kept = {n for unit in plan.plan.units if unit.mask.name == "keep" for n in unit.bound.outputs}
        reports = fresh_reports(plan.plan)
        documents = _documents(plan, {n for n, found in kinds.items() if found & _NESTED}, job.keys)
        rows = _write(_Reader(spool, columns, text.name, kept, documents), plan, job, text, target, output)
    return FileResult(rows, (), plan.warnings, {column: report.as_dict() for column, report in reports.items()})


def _documents(plan: FilePlan, nested: Set[str], keys: KeyRing) -> frozenset[str]:
    """The columns in which what was an object or an array leaves as one: their masks make JSON of JSON."""
    available = {c.name: c for c in plan.plan.table.columns}
    found = set()
    for unit in plan.plan.units:
        for name in nested & set(unit.bound.outputs):
            column = Column(name, JSON)
            with suppress(BindError):  # it makes something else of them, a text
                made = unit.mask.bind(Columns((column,), {**available, name: column}), keys)
                if made.promises.type.kind is Kind.JSON:
                    found.add(name)
    return frozenset(found)


def _write(reader: _Reader, plan: FilePlan, job: FileJob, text: JsonText, target: Format, output: Path) -> int:
    made = reading(plan.plan, "duckdb")
    if not made.writes:
        raise UsageError("every column is dropped: nothing would be written")
    rows = 0
    with ExitStack() as stack:
        as_json = target in (Format.JSON, Format.JSONL)
        lines = JsonSink(output, target is Format.JSONL, single=text.single) if as_json else None
        style = Style(job.delimiter or ",", job.encoding)
        sink = lines or sink_for(target, output, made.writes, plan.types, style)
        stack.callback(sink.close)
        try:
            for batch in masked_batches(reader, made, _BATCH):
                if lines is not None:
                    lines.records(reader.present(made.writes, batch, rows))
                else:
                    sink.write(batch)
                rows += len(batch[0])
        except MaskError as error:
            raise located(reader, made, _Reader.place) or error from None
    return rows


class _Reader:
    """Spooled records as the columns that a query names."""

    position = ""

    def __init__(self, spool: Spool, columns: Sequence[Column], name: str, kept: Set[str], documents: Set[str]) -> None:
        self._spool = spool
        self._kept = kept
        self._types = {c.name: c.type for c in columns}
        self._name = name
        self._lines: list[int] = []
        self._documents = documents
        self._shapes: list[tuple[frozenset[str], frozenset[str]]] = []
        self._first = 0
        self.last: Batch = []

    def use_keys(self, pads: Pads) -> None:
        """Nothing: no mask runs here."""

    def read(self, query: Any, batch_rows: int = _BATCH) -> Iterator[Batch]:
        """The query's columns, which are plain ones."""
        names = [e.this.name for e in query.expressions]
        for records, lines in self._spool:
            self._lines = lines
            self._shapes = [*self._shapes[self._first :], *map(self._shape, records)]
            self._first = 0
            self.last = [self._column([r.get(n) for r in records], n) for n in names]
            yield self.last

    def _shape(self, record: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
        """The fields of a record, and those of documents among them that are objects and arrays."""
        return frozenset(record), frozenset(n for n in self._documents if type(record.get(n)) in _NESTED)

    def _column(self, values: list[Any], name: str) -> list[Any]:
        """Values as their column's type has them; in a masked column of texts, what is no text is its JSON."""
        if name in self._kept or not self._types[name].is_text:
            return values
        return [v if v is None or type(v) is str else dumps(v) for v in values]

    def present(self, names: Sequence[str], batch: Batch, done: int) -> list[dict[str, Any]]:
        """Masked rows as records that have the fields that theirs had, and what masks add."""
        made = []
        for row in zip(*batch, strict=True):
            shape, nested = self._shapes[self._first]
            self._first += 1
            made.append(
                {
                    n: document(v) if n in nested else v
                    for n, v in zip(names, row, strict=True)
                    if n in shape or n not in self._types
                }
            )
        return made

    def place(self, at: int) -> str:
        """Where row ``at`` of the last batch stands."""
        return f"{self._name}:{self._lines[at]}"


def _type(kinds: set[type]) -> ColumnType:
    there = kinds - {type(None)}
    if there == {int}:
        return _INTEGER
    if there and there <= {int, float, NumberText}:
        return _FLOAT
    return _BOOLEAN if there == {bool} else TEXT
