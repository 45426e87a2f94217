"""Records from JSON, JSON Lines or nested Parquet, through rules or a policy, into any format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from dbmask.engine.spool import Spool
from dbmask.errors import UsageError
from dbmask.files.binding import RuleBound
from dbmask.files.duck import Duck
from dbmask.files.formats import Format
from dbmask.files.job import FileJob, FileResult
from dbmask.files.json_text import JsonSink, JsonText
from dbmask.files.numbers import NumberText
from dbmask.files.record_tables import mask_records_as_table
from dbmask.files.records import RecordMasker
from dbmask.files.sinks import Style, sink_for
from dbmask.policy.model import Policy

__all__ = ["mask_records"]

_BATCH = 1_000
_Batches = Iterator[tuple[list[Any], Callable[[int], str]]]


def mask_records(
    job: FileJob, source: Format, target: Format, stream: BinaryIO | None, output: Path, duck: Duck | None = None
) -> FileResult:
    """Mask records; see mask_file. ``duck`` is the session of a Parquet file, ``stream`` the bytes of a JSON one. Raises UsageError."""
    if isinstance(job.what, Policy):
        if stream is None:
            raise UsageError("a policy masks a Parquet file as a table")
        text = JsonText(job.source or "standard input", stream, source is Format.JSONL, job.encoding)
        return mask_records_as_table(job, job.what, text, target, output)
    if duck is not None and job.source is not None:
        types = dict(duck.columns(f"SELECT * FROM read_parquet({duck.path(job.source)})"))  # noqa: S608 - a literal
        batches, records = _from_parquet(duck, job, types), None
    elif stream is not None:
        types = {}
        records = JsonText(job.source or "standard input", stream, source is Format.JSONL, job.encoding)
        batches = _from_json(records, job.limit)
    masker = RecordMasker(job.what, job.keys, job.strict)
    warnings = [
        f"{rule.path}: {said}"
        for rule in job.what
        if rule.mask.name == "noise"
        for said in RuleBound(rule, job.keys).warnings
    ]
    if target in (Format.JSON, Format.JSONL):
        _to_json(batches, records, masker, target, output)
    else:
        masked = {rule.path.partition(".")[0] for rule in job.what if not rule.keeps} | {r.path for r in job.what}
        kept = {name: sql for name, sql in types.items() if name not in masked}
        _to_table(batches, masker, target, output, job, kept)
    masker.finish(job.allow_missing)
    warnings += [f"{rule.path}: every value became the default" for rule in masker.only_default]
    return FileResult(masker.records, tuple(masker.unruled), tuple(warnings), masker.found)


def _from_json(text: JsonText, limit: int | None) -> _Batches:
    for batch in text.batches(_BATCH, limit):
        yield batch, _at_lines(text.name, list(text.lines))


def _at_lines(name: str, lines: list[int]) -> Callable[[int], str]:
    return lambda i: f"{name}:{lines[i]}"


def _from_parquet(duck: Duck, job: FileJob, types: dict[str, str]) -> _Batches:
    limit = "" if job.limit is None else f" LIMIT {job.limit}"
    sql = f"SELECT * FROM read_parquet({duck.path(job.source or '')}){limit}"  # noqa: S608 - a literal
    names = list(types)
    done = 0
    for columns in duck.stream(sql, _BATCH):
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        yield rows, _at_rows(job.source or "", done)
        done += len(rows)


def _at_rows(name: str, done: int) -> Callable[[int], str]:
    return lambda i: f"{name}: row {done + i + 1}"


def _to_json(batches: _Batches, text: JsonText | None, masker: RecordMasker, target: Format, output: Path) -> None:
    first = next(batches, None)
    with ExitStack() as stack:
        sink = JsonSink(output, target is Format.JSONL, single=text is not None and text.single)
        stack.callback(sink.close)
        while first is not None:
            records, place = first
            sink.records(masker.mask(records, place))
            first = next(batches, None)


def _to_table(
    batches: _Batches, masker: RecordMasker, target: Format, output: Path, job: FileJob, types: dict[str, str]
) -> None:
    """Columns are known when the last record is, so masked records wait on disk, encrypted."""
    kinds: dict[str, set[type]] = {}
    with Spool() as spool, ExitStack() as stack:
        for records, place in batches:
            made = masker.mask(records, place)
            for record in made:
                for name, value in record.items():
                    kinds.setdefault(name, set()).add(type(value))
            spool.write([made])
        if not kinds:
            raise UsageError("there are no fields: nothing would be written")
        columns = list(kinds)
        made_types = {name: types.get(name) or _type_of(kinds[name]) for name in columns}
        style = Style(job.delimiter or ",", job.encoding)
        sink = sink_for(target, output, columns, made_types, style)
        stack.callback(sink.close)
        for (batch,) in spool:
            sink.write([[record.get(name) for record in batch] for name in columns])


def _type_of(kinds: set[type]) -> str:
    """The DuckDB type of a column of JSON values: what holds every value without changing it."""
    there = kinds - {type(None)}
    if there == {bool}:
        return "BOOLEAN"
    if there == {int}:
        return "BIGINT"
    if there and there <= {int, float, NumberText}:
        return "DOUBLE"
    return "VARCHAR"
