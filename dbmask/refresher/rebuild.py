"""One table of a replica whose changed tables are built beside it: what changed in it, and how it is built.

Rows that did not change go on from the replica's table, within the server; only the others are read and masked.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from dbmask.cloner.copying import TableJob, copy_table
from dbmask.cloner.sums import keeps, read_columns
from dbmask.refresher.baseline import PART_ROWS, Facts, key_of, keyed, table_digest
from dbmask.refresher.bring import STRETCHED, Brought, keys_alone
from dbmask.refresher.ways import Way, leaves_gone
from dbmask.spi import ChunkedTarget, PartSum, Reader, Serving, Source, SumsBeyond, SwapsTables
from dbmask.state.seal import Sealer

__all__ = ["Built", "Looked", "build", "look", "measure", "readings"]

_RANGES = 8
"""So many stretches of changed parts are read at once: their bounds are one row of a temporary table."""
_MOST = 2000
"""Parts of larger tables are of more than PART_ROWS rows."""
_TOGETHER = 64
"""So many parts are one transaction: what is given up is undone in bounded time."""


@dataclass(frozen=True)
class Looked:
    """The source as a run looks at it."""

    source: Source
    compare: SumsBeyond
    reader: Reader
    sealer: Sealer


@dataclass
class Built(Brought):
    """What is to become of a table: where ``stale`` it is built.

    Read are the rows of ``parted`` parts, those above a value (``above``), or all.
    """

    stale: bool = False
    parted: list[int] | None = None
    above: str | None = None


def measure(look: Looked, job: TableJob, usual: Way, rows: int) -> Facts:
    """What the next run compares a table of so many rows with, if it goes the ``usual`` way. Raises ConnectorError."""
    facts, table = Facts(table_digest(job), rows, column=usual.column), job.plan.table
    if usual.mode in ("append", "watermark"):
        facts.highest = look.compare.highest(look.reader, table, usual.column)
        if usual.mode == "watermark" and facts.highest is not None:
            facts.parts = _told(look, [_beyond(look, job, usual, facts.highest)])
    elif usual.mode == "diff" or not usual.forced:
        column = usual.key[0] if usual.mode == "diff" else ""
        facts.bounds = look.compare.bounds(look.reader, table, column, PART_ROWS) if column else []
        facts.parts = _told(look, _sums(look, job, column, facts.bounds))
    return facts


def _sums(look: Looked, job: TableJob, column: str, bounds: list[str]) -> list[PartSum]:
    return look.compare.part_sums(look.reader, job.plan.table, column, bounds, "", read_columns(job))


def _beyond(look: Looked, job: TableJob, way: Way, value: str) -> PartSum:
    """Rows above a value; of a watermark at it too, with the checksum that tells whether any of them changed."""
    also = way.mode == "watermark"
    values = read_columns(job) if also else ()
    return look.compare.beyond_sum(look.reader, job.plan.table, way.column, value, also, values)


def _told(look: Looked, sums: list[PartSum]) -> list[tuple[int, str]]:
    return [(s.rows, keyed(s, look.sealer)) for s in sums]


def look(look: Looked, job: TableJob, way: Way, usual: Way, known: Facts | None) -> Built:
    """What has changed in a table since the last run. Raises ConnectorError."""
    if way.mode == "diff" and known is not None and known.parts:
        return _diff(look, job, way, known)
    if way.mode in ("append", "watermark") and known is not None:
        seen = _seen(look, job, way, known)
        if isinstance(seen, Built):
            return seen
        way = replace(way, mode="full", why=seen, forced=True)
    elif way.mode == "diff":
        way = replace(way, mode="full", why="its parts are not those of the last run", forced=True)
    facts = measure(look, job, usual, known.rows if known else 0)
    made = Built(way, facts, parts=1, stale=True)
    if not way.forced and known is not None and known.parts == facts.parts and not known.bounds:
        made.stale, made.reused = False, 1
    return made


def _diff(look: Looked, job: TableJob, way: Way, known: Facts) -> Built:
    now = _told(look, _sums(look, job, way.key[0], known.bounds))
    changed = [i for i, (new, old) in enumerate(zip(now, known.parts, strict=True)) if new != old]
    facts = replace(known, parts=now, rows=sum(rows for rows, _ in now))
    return Built(way, facts, 0, 0, 0, len(now), len(now) - len(changed), 0.0, bool(changed), changed)


def _seen(look: Looked, job: TableJob, way: Way, known: Facts) -> Built | str:
    """What a table has above the last run's highest value; in words, why that does not tell what changed."""
    total = _count(look, job)
    if known.highest is None:
        return Built(way, known, parts=1, reused=1) if total == known.rows == 0 else f"no highest {way.column} is known"
    more = _beyond(look, job, way, known.highest)
    if way.mode == "append" and known.rows + more.rows != total:
        return _would_leave(way, known.rows + more.rows, total)
    same = not more.rows if way.mode == "append" else _told(look, [more]) == known.parts
    if same and (total == known.rows or leaves_gone(way)):
        return Built(way, known, parts=1, reused=1)
    return Built(way, measure(look, job, way, total), parts=1, stale=True, above=known.highest)


def _count(look: Looked, job: TableJob) -> int:
    return sum(p.rows for p in look.compare.part_sums(look.reader, job.plan.table, "", [], ""))


def _would_leave(way: Way, rows: int, total: int) -> str:
    return f"`{way.mode}` would leave {rows:,} rows where the source has {total:,}"


def build(
    look: Looked,
    target: SwapsTables,
    serving: Serving,
    job: TableJob,
    made: Built,
    before: int,
    progress: Callable[[int], None],
) -> None:
    """Bring a stale table's rows into what is built; ``before`` is how many the replica has. Raises ConnectorError and MaskError."""
    if made.above is not None:
        _above(look, target, serving, job, made, progress)
    elif made.parted is not None and made.reused:
        _parts(look, target, serving, job, made, progress)
    else:
        made.read = made.facts.rows = copy_table(look.source, target, look.reader, job, progress)[0]
    made.written = made.read
    if made.above is None or made.way.mode == "full":
        made.gone = _gone(serving, job, made, before)
    if made.parted and max(rows for rows, _ in made.facts.parts) > STRETCHED * max(PART_ROWS, made.facts.rows // _MOST):
        made.facts = measure(look, job, replace(made.way, mode="diff"), made.facts.rows)


def _gone(serving: Serving, job: TableJob, made: Built, before: int) -> int:
    """Rows that are not there any more: by their keys, where these are not masked, else at least as many as are fewer."""
    key = key_of(job)
    if not key or not keeps(job, key):
        return max(0, before - made.facts.rows)
    parts = made.parted if made.reused else None
    return serving.gone(job.target, key, key[0], made.facts.bounds, parts)


def _above(
    look: Looked, target: SwapsTables, serving: Serving, job: TableJob, made: Built, progress: Callable[[int], None]
) -> None:
    """Rows above the last run's highest value are read, the others go on; the whole table is read where that does not add up."""
    assert made.above is not None  # noqa: S101 - for the type checker
    way, table, total = made.way, job.plan.table, made.facts.rows
    query = look.compare.beyond(look.reader, job.reading.query, table, way.column, made.above, way.mode == "watermark")
    narrow = replace(job, reading=replace(job.reading, query=query))
    made.read = copy_table(look.source, target, look.reader, narrow, progress)[0]
    others = serving.carry(job.target) if way.mode == "append" else _rest(look, serving, job, made, progress)
    rows = made.read + others
    if rows == total or leaves_gone(way):
        made.facts.rows = rows
        return
    serving.forget(job.target)
    made.way = replace(way, mode="full", why=_would_leave(way, rows, total), forced=True)
    made.gone = 0
    made.read = made.facts.rows = copy_table(look.source, target, look.reader, job, progress)[0]


def _rest(look: Looked, serving: Serving, job: TableJob, made: Built, progress: Callable[[int], None]) -> int:
    """The replica's rows of other keys than those that were read; where they are too many, those that the source still has."""
    key = made.way.key
    serving.note_new(job.target, key)
    left = serving.rest(job.target, key)
    among = made.way.deletes and made.read + left > made.facts.rows
    if among:
        query, writes = keys_alone(job, key, look.source.capabilities.dialect)
        narrow = replace(writes, reading=replace(writes.reading, query=query))
        copy_table(look.source, serving.keys(job.target, key), look.reader, narrow, progress)
    rows = serving.carry_rest(job.target, key, among)
    made.gone = left - rows
    return rows


def _parts(
    look: Looked, target: SwapsTables, serving: Serving, job: TableJob, made: Built, progress: Callable[[int], None]
) -> None:
    """Each reading is one transaction: one that is given up leaves the others' rows alone."""
    assert made.parted is not None and isinstance(target, ChunkedTarget)  # noqa: S101 - for the type checker
    column, bounds, changed = made.way.key[0], made.facts.bounds, made.parted
    stays = sorted(set(range(made.parts)) - set(changed))
    carried = serving.carry(job.target, column, bounds, stays)
    for parts in readings(changed):
        query = look.compare.changed(look.reader, job.reading.query, job.plan.table, column, bounds, parts, "")
        narrow = replace(job, reading=replace(job.reading, query=query))
        with target.chunk(secrets.token_hex(16)) as entry:
            entry.rows = copy_table(look.source, target, look.reader, narrow, progress)[0]
            made.read += entry.rows
    made.facts.rows = carried + made.read


def readings(parts: list[int]) -> list[list[int]]:
    """Parts in ascending order, in groups that are read together."""
    made: list[list[int]] = []
    stretches = 0
    for part in parts:
        follows = bool(made) and made[-1][-1] == part - 1
        if not made or len(made[-1]) == _TOGETHER or (not follows and stretches == _RANGES):
            made.append([])
            stretches = 0
        stretches += not follows or not made[-1]
        made[-1].append(part)
    return made
