"""Looking at the replica: as many rows as were read, and no more values left as they were than their masks explain.

Rows of source and replica are matched by their masked primary key. Of large tables a sample is read: the rows
whose key's SHA-256 falls into one class of ``m``, which is the same set on both sides, spread over the whole table,
and bounded in memory whatever the table's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from dbmask.cloner.certificate import Check
from dbmask.cloner.sampling import in_sample, row_sample
from dbmask.engine import masked_batches
from dbmask.keys import KeyRing
from dbmask.planner import ColumnPlan, RunsIn, TablePlan, pads_for, reading
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import Reading, relation
from dbmask.policy.model import TableMode
from dbmask.schema import ColumnType, Table, TableName
from dbmask.spi import Reader
from dbmask_sql.canonical import canonical_text, canonicalizer

__all__ = ["SAMPLE_ROWS", "verify_rows", "verify_shares"]

SAMPLE_ROWS = 200_000
"""About how many rows of a table are compared."""

_MADE = (RunsIn.SQL, RunsIn.PYTHON)
_Rows = dict[str, list[bytes | None]]
_Chances = list[dict[bytes, float] | None]
"""For each masked column: by a value's fingerprint, the probability that its mask leaves it; None where that is not known."""


def _count(reader: Reader, table: Table, plan: TablePlan | None = None, dialect: str = "") -> int:
    """How many rows a table has, or how many of them its plan reads."""
    from sqlglot import exp, parse_one

    query = exp.select(exp.Count(this=exp.Star())).from_(relation(table))
    if plan is not None and plan.filter:
        query = query.where(parse_one(plan.filter, read=dialect))
    if plan is not None and plan.picked is not None:
        query = query.where(plan.picked.copy())
    return next(int(batch[0][0]) for batch in reader.read(query))


def verify_rows(
    plans: Sequence[TablePlan], rows: Mapping[TableName, int], source: Reader, replica: Reader, dialect: str
) -> list[Check]:
    """Compare row counts: in the source's snapshot, as copied, and in the replica."""
    checks = []
    for plan in plans:
        there = _count(source, plan.table, plan, dialect)
        here = _count(replica, plan.table)
        passed = there == here == rows[plan.name]
        found = (
            f"{here:,} rows"
            if passed
            else f"{there:,} rows in the source, {rows[plan.name]:,} copied, {here:,} in the replica"
        )
        checks.append(Check("rows", str(plan.name), passed, found, {"source": there, "replica": here}))
    return checks


def verify_shares(
    plans: Sequence[TablePlan],
    rows: Mapping[TableName, int],
    source: Reader,
    replica: Reader,
    dialects: tuple[str, str],
    keys: KeyRing,
) -> tuple[list[Check], list[str]]:
    """For each masked column: the share of rows whose value stayed equal, against what its mask allows.

    Returns checks, and in words what could not be looked at.
    """
    checks: list[Check] = []
    unseen: list[str] = []
    for plan in plans:
        there = {c.name for c in plan.table.columns}  # columns that masks add have nothing to compare with
        masked = [c for c in plan.columns if c.masked and c.column.name in there and c.runs_in in _MADE]
        if not masked or plan.mode is TableMode.KEEP:
            continue
        key = plan.table.primary_key
        if not key or not set(key) <= set(plan.writes):
            unseen.append(f"{plan.name}: has no primary key in the replica, so equal values were not counted")
            continue
        modulus = max(1, rows[plan.name] // SAMPLE_ROWS)
        chances: _Chances = [{} if _stays(plan, c) else None for c in masked]
        before = _source_rows(plan, masked, source, dialects[0], keys, modulus, chances)
        after = _replica_rows(plan, masked, replica, dialects[1], modulus)
        checks += [_share(plan, c, i, before, after, modulus, chances[i]) for i, c in enumerate(masked)]
    return checks, unseen


def _stays(plan: TablePlan, column: ColumnPlan) -> Callable[[Any], float] | None:
    """What a column's mask says of single values, where it does."""
    for unit in plan.units:
        if column.column.name in unit.bound.outputs:
            found: Callable[[Any], float] | None = getattr(unit.bound, "stays", None)
            return found
    return None


def _expected(chances: Iterable[float]) -> float:
    """How many of independent values may stay: the mean, five standard deviations, and two where any is to be expected at all."""
    known = list(chances)
    mean = sum(known)
    return math.floor(mean + 5 * math.sqrt(sum(p * (1 - p) for p in known)) + (2 if mean > 1e-6 else 0))


def _share(
    plan: TablePlan,
    column: ColumnPlan,
    at: int,
    before: _Rows,
    after: _Rows,
    modulus: int,
    chances: dict[bytes, float] | None,
) -> Check:
    seen = equal = 0
    missing = 0
    drawn: list[bytes] = []
    stayed: list[bytes] = []
    for key, values in before.items():
        fellow = after.get(key)
        if fellow is None:
            missing += 1
            continue
        raw = values[at]
        if raw is None or raw == b"":
            continue
        seen += 1
        equal += raw == fellow[at]
        if chances is not None:
            drawn.append(raw)
            if raw == fellow[at]:
                stayed.append(raw)
    share = equal / seen if seen else 0.0
    allowed = column.unchanged
    # Three standard deviations of a binomial share, and one row, are left to chance.
    slack = 3 * math.sqrt(allowed * (1 - allowed) / seen) + 1 / seen if seen and allowed > 0 else 0.0
    passed = share <= min(allowed + slack, 1.0) and missing == 0
    if chances is not None and seen:
        # Equal values share one draw, where the mask depends on nothing else: each counts once.
        once = _value_only(plan, column)
        drawn, stayed = (list(dict.fromkeys(some)) if once else some for some in (drawn, stayed))
        most = _expected(chances[v] for v in drawn)
        allowed = min(1.0, most / len(drawn))
        passed = len(stayed) <= most and missing == 0
    looked = "every row" if modulus == 1 else f"a sample of {len(before):,} rows over the whole table"
    found = f"{share:.1%} of {seen:,} values stayed equal, {allowed:.1%} allowed under {column.mask} ({looked})"
    if missing:
        found = f"{missing:,} of {len(before):,} rows are not in the replica under their masked key"
    figures = {"equal": equal, "seen": seen, "allowed": allowed, "missing": missing, "sampled_1_in": modulus}
    return Check("unchanged", f"{plan.name}.{column.column.name}", passed, found, figures)


def _value_only(plan: TablePlan, column: ColumnPlan) -> bool:
    return all(u.promises(column.column.name).value_only for u in plan.units if column.column.name in u.bound.outputs)


def _key_types(plan: TablePlan) -> list[ColumnType]:
    by_name = {c.column.name: c for c in plan.columns}
    return [by_name[k].out_type for k in plan.table.primary_key]


def _source_rows(
    plan: TablePlan,
    masked: Sequence[ColumnPlan],
    reader: Reader,
    dialect: str,
    keys: KeyRing,
    modulus: int,
    chances: _Chances,
) -> _Rows:
    """Masked key -> raw values, for the sampled rows of the source."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    key = plan.table.primary_key
    units = tuple(u for u in plan.units if set(u.bound.outputs) & set(key))
    part = reading(replace(plan, units=units), dialect)
    extra = len(part.query.expressions)
    raws = [
        exp.alias_(column(c.column.name, SOURCE_ALIAS), f"dbmask_old_{i}", quoted=True) for i, c in enumerate(masked)
    ]
    query = part.query.select(*raws)
    if not part.leftover:
        masked_keys = [query.expressions[part.ready[part.writes.index(k)]].this for k in key]
        picked = row_sample(masked_keys, _key_types(plan), dialect, modulus)
        query = query if picked is None else query.where(picked)
    reader.use_keys(pads_for([query], keys))
    width = len(part.writes)
    both = replace(
        part,
        query=query,
        writes=(*part.writes, *(f"dbmask_old_{i}" for i in range(len(masked)))),
        ready=(*part.ready, *range(extra, extra + len(masked))),
    )
    where = [part.writes.index(k) for k in key]
    return _collect(reader, both, where, range(width, width + len(masked)), plan, masked, modulus, chances)


def _replica_rows(plan: TablePlan, masked: Sequence[ColumnPlan], reader: Reader, dialect: str, modulus: int) -> _Rows:
    """Masked key -> masked values, for the sampled rows of the replica."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    names = [*plan.table.primary_key, *(c.column.name for c in masked)]
    query = exp.select(*(exp.alias_(column(n, SOURCE_ALIAS), f"c{i}", quoted=True) for i, n in enumerate(names)))
    query = query.from_(relation(plan.table))
    width = len(plan.table.primary_key)
    picked = row_sample([column(n, SOURCE_ALIAS) for n in names[:width]], _key_types(plan), dialect, modulus)
    query = query if picked is None else query.where(picked)
    part = Reading(query, tuple(f"c{i}" for i in range(len(names))), tuple(range(len(names))), ())
    return _collect(reader, part, range(width), range(width, len(names)), plan, masked, modulus)


def _collect(
    reader: Reader,
    part: Reading,
    key_at: Sequence[int],
    value_at: Sequence[int],
    plan: TablePlan,
    masked: Sequence[ColumnPlan],
    modulus: int,
    chances: _Chances | None = None,
) -> _Rows:
    stays = [_stays(plan, c) for c in masked]
    keyed = list(zip([canonical_text(t.kind, t.padded) for t in _key_types(plan)], key_at, strict=True))
    texts = [canonicalizer(c.column.type.kind, c.column.type.padded) for c in masked]
    found: _Rows = {}
    for batch in masked_batches(reader, part):
        for row in zip(*batch, strict=True):
            key = "|".join([text(row[i]) for text, i in keyed])
            if in_sample(key, modulus):
                # Only fingerprints are held: a sample of long texts stays small.
                values = [
                    None if row[i] is None else _short(text(row[i])) for i, text in zip(value_at, texts, strict=True)
                ]
                found[key] = values
                for i, short, known, chance in zip(value_at, values, chances or (), stays, strict=False):
                    if known is not None and chance is not None and short and short not in known:
                        known[short] = chance(row[i])
    return found


def _short(data: bytes) -> bytes:
    return data if len(data) <= 32 else sha256(data).digest()
