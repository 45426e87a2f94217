"""The rows of one table, or of one chunk of it, from source to target: the same way in the main process and in workers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbmask.cloner.sums import chunk_sum
from dbmask.engine import fresh_reports, masked_batches, reports_in
from dbmask.spi import (
    ChunkedTarget,
    Progress,
    Reader,
    Receiver,
    SharedSource,
    Source,
    Span,
    SummedSource,
    Target,
    TargetTable,
)
from dbmask.state.seal import Sealer

if TYPE_CHECKING:
    from dbmask.planner import Reading, TablePlan

__all__ = ["Outcome", "TableJob", "copy_chunk", "copy_table", "merge_reports"]

_NAMED = 1000  # rows that a report names


@dataclass(frozen=True)
class TableJob:
    """What is to be copied: the SELECT, where its rows go, and the plan, which holds the masks that are left to Python."""

    plan: TablePlan
    reading: Reading
    target: TargetTable


@dataclass
class Outcome:
    """What became of a chunk: ``reports`` are those of text masks by column, ``reused`` that it was there already.

    ``sum`` is the keyed checksum of its raw rows, where there is one.
    """

    rows: int
    reports: dict[str, Any] = field(default_factory=dict)
    reused: bool = False
    seconds: float = 0.0
    sum: str = ""


def copy_table(
    source: Source, target: Receiver, reader: Reader, job: TableJob, progress: Progress
) -> tuple[int, dict[str, Any]]:
    """Copy a job's rows; the number of them, and what the masks of texts report by column."""
    # What a session holds is not seen by a relay that opens the source's file for itself.
    if job.plan.pushed_down and (job.plan.picked is None or not source.capabilities.embedded):
        relayed = target.relay(source, reader, job.target, job.reading.query, progress)
        if relayed is not None:
            return relayed, {}
    reports = fresh_reports(job.plan)
    rows = 0
    with target.sink(job.target) as sink:
        for batch in masked_batches(reader, job.reading):
            sink.write(batch)
            count = len(batch[0]) if batch else 0
            rows += count
            progress(count)
    return rows, reports


def copy_chunk(
    source: Source,
    target: Target,
    reader: Reader,
    job: TableJob,
    span: Span,
    token: str,
    progress: Progress,
    sealer: Sealer | None = None,
) -> Outcome:
    """Copy one chunk in one transaction with its ledger entry; a chunk that is there already is left as it is.

    With a sealer its raw rows are summed up for a later run, where the source does that.
    """
    assert isinstance(source, SharedSource)  # noqa: S101 - for the type checker: the caller has asked
    assert isinstance(target, ChunkedTarget)  # noqa: S101
    began = time.monotonic()
    narrow = replace(job, reading=replace(job.reading, query=source.narrowed(job.reading.query, span)))
    with target.chunk(token) as entry:
        if entry.done:
            return Outcome(entry.rows, reports_of(entry.found), True, sum=entry.sum)
        entry.rows, reports = copy_table(source, target, reader, narrow, progress)
        entry.found = _text_of(reports)
        if sealer is not None and isinstance(source, SummedSource):
            entry.sum = chunk_sum(source, reader, job, span, entry.rows, sealer)
        done = Outcome(entry.rows, {c: {k: copy(v) for k, v in vars(r).items()} for c, r in reports.items()})
        done.sum = entry.sum
    done.seconds = time.monotonic() - began
    return done


def _text_of(reports: Mapping[str, Any]) -> str:
    """Reports as text for the ledger: counts only, no names of rows."""

    def plain(value: Any) -> Any:
        if isinstance(value, Counter):
            return [[list(k) if isinstance(k, tuple) else k, n] for k, n in value.items()]
        return value if isinstance(value, int) else None

    return json.dumps({c: {k: plain(v) for k, v in vars(r).items()} for c, r in reports.items()}) if reports else ""


def reports_of(text: str) -> dict[str, dict[str, Any]]:
    """What :func:`_text_of` wrote, by column and field."""

    def value(plain: Any) -> Any:
        if isinstance(plain, list):
            return Counter({tuple(k) if isinstance(k, list) else k: n for k, n in plain})
        return plain

    found: dict[str, dict[str, Any]] = json.loads(text) if text else {}
    return {c: {k: value(v) for k, v in fields.items()} for c, fields in found.items()}


def merge_reports(plan: TablePlan, parts: list[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The reports of a table's chunks, added up, as plain data by column."""
    made = {}
    for column, own in reports_in(plan).items():
        report = type(own)()
        for part in parts:
            for name, value in part.get(column, {}).items():
                if value is not None:
                    made_up = getattr(report, name) + value
                    setattr(report, name, made_up[:_NAMED] if isinstance(made_up, list) else made_up)
        made[column] = report.as_dict()
    return made
