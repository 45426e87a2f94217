"""One file into another: rules or a policy, any format into any."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dbmask.engine import fresh_reports, seldom_collected
from dbmask.errors import MaskError, UsageError
from dbmask.files.binding import TEXT
from dbmask.files.copying import Destination, TextReader, Watch, by_batches, by_duckdb, is_large, suits_duckdb
from dbmask.files.csv_text import CsvText
from dbmask.files.duck import Duck, QueryFailed, check_parquet, read_csv
from dbmask.files.formats import Format, format_of
from dbmask.files.job import FileJob, FileResult
from dbmask.files.output import appearing
from dbmask.files.problems import InputError
from dbmask.files.rules import Rule
from dbmask.files.sinks import Style
from dbmask.files.streams import mask_records
from dbmask.files.tables import FilePlan, column_type, is_nested, plan_of_policy, plan_of_rules
from dbmask.policy.model import Policy
from dbmask.schema import Column

__all__ = ["FileJob", "FileResult", "mask_file"]

_ROW_GROUPS = "2GB"
"""Parquet is read by row groups, whose size whoever wrote the file has chosen."""


@seldom_collected()
def mask_file(job: FileJob, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> FileResult:
    """Mask a file. The output appears complete or not at all; it may be the input.

    Raises UsageError (and PolicyError, PlanError) where rules, policy or options are wrong, InputError where the input
    cannot be read as what it should be, MaskError where a value cannot be masked: with file and line, never a value.
    """
    said = None if job.source_format is None else format_of(None, job.source_format, None, "input")
    of_target = format_of(job.target, job.target_format, said or Format.CSV, "output")
    source = format_of(job.source, job.source_format, None if job.source else of_target, "input")
    target = format_of(job.target, job.target_format, source, "output")
    with ExitStack() as stack:
        if job.source is not None:
            check_parquet(job.source)
        output = stack.enter_context(appearing(job.target, stdout))
        if source is Format.CSV:
            return _csv(job, target, output, stdin)
        if source is Format.PARQUET:
            return _parquet(job, target, output)
        with opened(job.source, stdin) as stream:
            return mask_records(job, source, target, stream, output)


@contextmanager
def opened(path: str | None, stdin: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """The input's bytes. Raises UsageError where it cannot be read."""
    if path is None:
        yield stdin or sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


def plan_for(job: FileJob, columns: Sequence[Column]) -> FilePlan:
    """The plan of a table with these columns."""
    if isinstance(job.what, Policy):
        name = job.table or (Path(job.source).stem if job.source else "stdin")
        return plan_of_policy(columns, job.what, job.keys, name)
    return plan_of_rules(columns, job.what, job.keys, strict=job.strict, allow_missing=job.allow_missing)


def result_of(plan: FilePlan, rows: int, watch: Watch, reports: Mapping[str, Any]) -> FileResult:
    """What is said of a run over a table; ``reports`` are those of its masks by column."""
    warnings = [*plan.warnings]
    warnings += [f"{name}: every value became the default" for name in watch.only_default()]
    return FileResult(rows, plan.unruled, tuple(warnings), {name: r.as_dict() for name, r in reports.items()})


def _csv(job: FileJob, target: Format, output: Path, stdin: BinaryIO | None) -> FileResult:
    name = job.source or "standard input"
    delimiter = job.delimiter or ("\t" if name.lower().endswith(".tsv") else ",")
    with opened(job.source, stdin) as stream:
        text = CsvText(name, stream, delimiter, job.encoding)
        plan = plan_for(job, [Column(c, TEXT) for c in text.header])
        style = Style(delimiter, job.encoding, text.newline)
        to = Destination(target, output, style, job.limit)
        filtered = plan.plan.filter is not None
        if job.source is not None and (filtered or is_large(job.source)) and suits_duckdb(text, job.source):
            watch, reports = Watch(plan), fresh_reports(plan.plan)
            try:
                with Duck() as duck:
                    table = read_csv(duck.path(job.source), text.header, delimiter)
                    return result_of(plan, by_duckdb(duck, table, plan, job.keys, to, watch), watch, reports)
            except QueryFailed as error:
                if filtered:
                    raise InputError(f"{name}: {error}") from None
            except MaskError:
                if filtered:
                    raise
            # Python reads what DuckDB refused (short rows), or says where and why it cannot be read.
            output.unlink(missing_ok=True)
        elif filtered:
            raise UsageError("`where:` needs a CSV file in UTF-8 with two columns or more, not a stream")
        watch = Watch(plan)
        reader = TextReader(text, job.limit)
        python = plan.in_python()
        reports = fresh_reports(python.plan)
        rows = by_batches(reader, python, to, watch, TextReader.place)
        return result_of(plan, rows, watch, reports)


def _parquet(job: FileJob, target: Format, output: Path) -> FileResult:
    if job.source is None:
        raise UsageError("Parquet cannot be read from standard input: name a file")
    with Duck(memory=_ROW_GROUPS) as duck:
        table = f"read_parquet({duck.path(job.source)})"
        try:
            found = duck.columns(f"SELECT * FROM {table}")  # noqa: S608 - a literal
        except QueryFailed as error:
            raise InputError(f"{job.source}: {error}") from None
        if not isinstance(job.what, Policy) and _needs_records(job.what, found, target):
            return mask_records(job, Format.PARQUET, target, None, output, duck)
        plan = plan_for(job, [Column(name, column_type(sql)) for name, sql in found])
        watch, reports = Watch(plan), fresh_reports(plan.plan)
        to = Destination(target, output, Style(job.delimiter or ",", job.encoding), job.limit)
        try:
            return result_of(plan, by_duckdb(duck, table, plan, job.keys, to, watch), watch, reports)
        except QueryFailed as error:
            raise MaskError(f"{job.source}: {error}") from None


def _needs_records(rules: Sequence[Rule], columns: Sequence[tuple[str, str]], target: Format) -> bool:
    """Whether a rule reaches into a column, or nested values are to become JSON."""
    names = {name for name, _ in columns}
    nested = [name for name, sql in columns if is_nested(sql)]
    if nested and target in (Format.JSON, Format.JSONL):
        return True
    return any(rule.path not in names and any(rule.path.startswith(f"{name}.") for name in nested) for rule in rules)
