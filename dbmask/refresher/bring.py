"""One table of a refresh: what has changed is read and masked, and waits beside the replica's table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbmask.cloner.copying import TableJob, copy_table
from dbmask.errors import CheckFailed
from dbmask.planner import Reading, reading
from dbmask.refresher.baseline import PART_ROWS, Facts, keyed, measured, read_columns, table_digest
from dbmask.refresher.ways import Way
from dbmask.spi import ComparableSource, PartSum, Reader, Receiver, Refreshing, Source
from dbmask.state.seal import Sealer

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["STRETCHED", "Brought", "Ends", "bring", "keys_alone"]

STRETCHED = 8
"""A part that has grown to so many times its size has the table cut anew."""

_CUT_INTO = 256
"""A large table is cut into so many parts at least, whatever its key: fewer are those of a table that was small."""


@dataclass
class Brought:
    """What became of a table: rows read and to be written, rows that go, and what the next run compares with."""

    way: Way
    facts: Facts
    read: int = 0
    written: int = 0
    gone: int = 0
    parts: int = 0
    reused: int = 0
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether the replica's table is to be touched at all."""
        return bool(self.written or self.gone)


@dataclass(frozen=True)
class Ends:
    """Both ends of a refresh, and what the last run left; ``since`` is empty where transactions tell nothing."""

    source: Source
    compare: ComparableSource
    reader: Reader
    target: Refreshing
    sealer: Sealer
    since: str
    progress: Callable[[int], None]


def bring(ends: Ends, job: TableJob, way: Way, known: Facts | None) -> Brought:
    """Bring a table's changes to the replica's side. Raises ConnectorError, MaskError, and CheckFailed where counts do not fit."""
    began = time.monotonic()
    steps = {"full": _full, "diff": _diff, "append": _append, "watermark": _watermark}
    made = steps[way.mode](ends, job, way, known or Facts("", 0))
    made.seconds = time.monotonic() - began
    return made


def _read(ends: Ends, job: TableJob, query: exp.Select, into: Receiver) -> int:
    narrow = replace(job, reading=replace(job.reading, query=query))
    return copy_table(ends.source, into, ends.reader, narrow, ends.progress)[0]


def _full(ends: Ends, job: TableJob, way: Way, known: Facts) -> Brought:
    """All rows; none where a checksum says that nothing has changed."""
    made = Brought(way, _facts(ends, job, way))
    if not way.forced and known.parts == made.facts.parts and not known.bounds:
        made.facts.rows, made.parts, made.reused = known.rows, 1, 1
        return made
    made.read = _read(ends, job, job.reading.query, ends.target)
    made.written, _ = ends.target.settle(job.target, way.key, True)
    made.gone = ends.target.doomed(job.target, way.key)
    made.facts.rows = made.read
    made.parts = 1
    return made


def _facts(ends: Ends, job: TableJob, way: Way) -> Facts:
    bounds, parts, highest = measured(ends.compare, ends.reader, job, ends.sealer, way.column)
    return Facts(table_digest(job), 0, bounds, parts, highest, way.column)


def _diff(ends: Ends, job: TableJob, way: Way, known: Facts) -> Brought:
    """The rows of parts that have changed; of these the new versions alone, where transactions tell them apart."""
    table, columns = job.plan.table, read_columns(job)
    counted = ends.compare.part_sums(
        ends.reader, table, way.key[0], known.bounds, ends.since, () if ends.since else columns
    )
    if len(counted) != len(known.parts):
        return _full(ends, job, replace(way, mode="full", why="its parts are not those of the last run"), known)
    parts = _changed(ends, counted, known)
    facts = Facts(table_digest(job), 0, known.bounds, list(known.parts), None, "")
    made = Brought(way, facts, parts=len(counted), reused=len(counted) - len(parts))
    total = sum(p.rows for p in counted)
    if parts:
        since = ends.since
        query = ends.compare.changed(ends.reader, job.reading.query, table, way.key[0], known.bounds, parts, since)
        made.read = _read(ends, job, query, ends.target)
        for number in parts:
            # Where transactions told what is new, a checksum would cost one more look at the table: a run that needs
            # it reads these parts again.
            facts.parts[number] = (counted[number].rows, "" if since else keyed(counted[number], ends.sealer))
        if max(rows for rows, _ in facts.parts) > STRETCHED * max(PART_ROWS, total // max(len(facts.parts), _CUT_INTO)):
            facts.bounds, facts.parts, _ = measured(ends.compare, ends.reader, job, ends.sealer)
    return _fitted(ends, job, made, total)


def _changed(ends: Ends, counted: list[PartSum], known: Facts) -> list[int]:
    if ends.since:
        return [
            i for i, (p, (rows, _)) in enumerate(zip(counted, known.parts, strict=True)) if p.fresh or p.rows != rows
        ]
    now = [(p.rows, keyed(p, ends.sealer)) for p in counted]
    return [i for i, (new, old) in enumerate(zip(now, known.parts, strict=True)) if new != old]


def _append(ends: Ends, job: TableJob, way: Way, known: Facts) -> Brought:
    """Rows above the highest value of the last run."""
    made = _above(ends, job, way, known, also=False)
    return _fitted(ends, job, made, _count(ends, job))


def _watermark(ends: Ends, job: TableJob, way: Way, known: Facts) -> Brought:
    """Rows from the highest value of the last run on; rows that are gone are found by keys."""
    made = _above(ends, job, way, known, also=True)
    return _fitted(ends, job, made, _count(ends, job) if way.deletes else None)


def _above(ends: Ends, job: TableJob, way: Way, known: Facts, *, also: bool) -> Brought:
    query, table = job.reading.query, job.plan.table
    if known.highest is not None:
        query = ends.compare.beyond(ends.reader, query, table, way.column, known.highest, also)
    highest = ends.compare.highest(ends.reader, table, way.column)
    made = Brought(way, Facts(known.digest, 0, [], [], highest or known.highest, way.column), parts=1)
    made.read = _read(ends, job, query, ends.target)
    return made


def _count(ends: Ends, job: TableJob) -> int:
    return sum(p.rows for p in ends.compare.part_sums(ends.reader, job.plan.table, "", [], ""))


def _fitted(ends: Ends, job: TableJob, made: Brought, total: int | None) -> Brought:
    """What differs of what was read, and rows that are gone where the replica would have more than the source's ``total``."""
    way = made.way
    made.written, left = ends.target.settle(job.target, way.key, False)
    if total is not None and left > total and way.key and way.mode != "append":
        query, writes = keys_alone(job, way.key, ends.source.capabilities.dialect)
        _read(ends, writes, query, ends.target.keys())
        made.gone = ends.target.doomed(job.target, way.key)
    made.facts.rows = left - made.gone
    if total is None or made.facts.rows == total:
        return made
    ends.target.forget(job.target)
    why = f"`{way.mode}` would leave {made.facts.rows:,} rows where the source has {total:,}"
    whole = _full(ends, job, replace(way, mode="full", why=why, forced=True), Facts("", 0))
    if whole.facts.rows != total:
        raise CheckFailed(f"{job.plan.name}: {whole.facts.rows:,} masked rows where the source has {total:,}")
    return whole


def keys_alone(job: TableJob, key: Sequence[str], dialect: str) -> tuple[exp.Select, TableJob]:
    """The SELECT of all masked keys, and the job of it."""
    units = tuple(u for u in job.plan.units if set(u.bound.outputs) & set(key))
    plan = replace(job.plan, units=units)
    made: Reading = reading(plan, dialect)
    return made.query, TableJob(plan, made, replace(job.target, columns=plan.writes))
