"""Looking at the replica: as many rows as were read, and no more values left as they were than their masks explain.

Rows of source and replica are matched by their masked primary key. Of large tables a sample is read, the same rows on
both sides (dbmask.cloner.sampling), spread over the whole table, and bounded in memory whatever the table's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, Any

from dbmask.cloner.certificate import Check
from dbmask.cloner.prints import distinct, key_prints, value_prints
from dbmask.cloner.sampling import is_picked, row_sample
from dbmask.engine import masked_batches
from dbmask.keys import KeyRing
from dbmask.planner import ColumnPlan, RunsIn, TablePlan, pads_for, reading
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import Reading, relation
from dbmask.policy.model import TableMode
from dbmask.schema import ColumnType, Table, TableName
from dbmask.spi import Reader

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask.cloner.prints import Prints
    from dbmask.masks.base import Bound

__all__ = ["SAMPLE_ROWS", "verify_rows", "verify_shares"]

SAMPLE_ROWS = 20_000
"""About how many rows of a table are compared: of one value in a thousand that stayed, twenty are seen."""

_MADE = (RunsIn.SQL, RunsIn.PYTHON)
_BATCH = 2_000
"""Rows that are looked at together: few enough to stay in the processor's cache."""
_Chances = list[dict[int, float] | None]
"""For each masked column: by a value's fingerprint, the probability that its mask leaves it; None where that is not known."""


@dataclass(frozen=True)
class _Rows:
    """Fingerprints of sampled rows' masked keys, and of the values of each masked column."""

    keys: Prints
    values: list[Prints]


@dataclass(frozen=True)
class _Pairs:
    """How many rows were sampled, how many of them the replica has not, and the values of the others on both sides."""

    rows: int
    missing: int
    before: list[Prints]
    after: list[Prints]


def count_rows(reader: Reader, table: Table, plan: TablePlan | None = None, dialect: str = "") -> int:
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
        there = count_rows(source, plan.table, plan, dialect)
        here = count_rows(replica, plan.table)
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
        modulus = max(1, -(-rows[plan.name] // SAMPLE_ROWS))
        chances: _Chances = [{} if _stays(plan, c) else None for c in masked]
        after = _replica_rows(plan, masked, replica, dialects[1], modulus)
        plain = _Explained([_plain(plan, c) for c in masked], [c.column.type for c in masked], after)
        before = _source_rows(plan, masked, source, dialects[0], keys, modulus, chances, plain)
        pairs = _paired(before, after)
        wrong = plain.unexplained
        checks += [_share(plan, c, i, pairs, modulus, chances[i], wrong[i]) for i, c in enumerate(masked)]
    return checks, unseen


def _stays(plan: TablePlan, column: ColumnPlan) -> Callable[[Any], float] | None:
    """What a column's mask says of single values, where it does."""
    for unit in plan.units:
        if column.column.name in unit.bound.outputs:
            found: Callable[[Any], float] | None = getattr(unit.bound, "stays", None)
            return found
    return None


def _plain(plan: TablePlan, column: ColumnPlan) -> Bound | None:
    """The mask, where it gives every value one answer and needs no key: what it leaves can be computed."""
    for unit in plan.units:
        bound, own = unit.bound, unit.promises(column.column.name)
        if bound.outputs == bound.inputs == (column.column.name,):
            known = own.value_only and own.total and not own.keyed and getattr(bound, "stays", None) is None
            return bound if known and not getattr(bound, "whole_column", False) else None
    return None


class _Explained:
    """Counts, for masks that :func:`_plain` gives, the values that stayed equal although their mask changes them.

    Only values that stayed equal are masked once more, while the source is read.
    """

    def __init__(self, masks: Sequence[Bound | None], types: Sequence[ColumnType], after: _Rows) -> None:
        import numpy as np

        self._masks, self._types, self._after = masks, types, after
        self._order = np.argsort(after.keys)
        self._keys = after.keys[self._order]
        self.unexplained: list[int | None] = [None if m is None else 0 for m in masks]

    def look(self, keys: Prints, columns: Sequence[Sequence[Any]], prints: Sequence[Prints]) -> None:
        """Look at a batch of the source: fingerprints of its rows' keys, values, and their fingerprints, by column."""
        import numpy as np

        if not len(self._keys):
            return
        at = np.searchsorted(self._keys, keys)
        at[at == len(self._keys)] = 0
        there, places = self._keys[at] == keys, self._order[at]
        for i, mask in enumerate(self._masks):
            if mask is None:
                continue
            same = np.flatnonzero(there & (prints[i] != 0) & (self._after.values[i][places] == prints[i]))
            if len(same):
                values = [columns[i][row] for row in same.tolist()]
                made = value_prints(mask.apply([values])[0], self._types[i])
                self.unexplained[i] = (self.unexplained[i] or 0) + int((made != prints[i][same]).sum())


def _expected(chances: Prints, times: Prints) -> float:
    """How many of independent values may stay: the mean, five standard deviations, and two where any is to be expected at all."""
    mean = float((chances * times).sum())
    spread = float((chances * (1 - chances) * times).sum())
    return math.floor(mean + 5 * math.sqrt(spread) + (2 if mean > 1e-6 else 0))


def _share(
    plan: TablePlan,
    column: ColumnPlan,
    at: int,
    pairs: _Pairs,
    modulus: int,
    chances: dict[int, float] | None,
    unexplained: int | None,
) -> Check:
    raw, made = pairs.before[at], pairs.after[at]
    there = raw != 0
    raw, same = raw[there], (raw == made)[there]
    seen, equal, missing = len(raw), int(same.sum()), pairs.missing
    share = equal / seen if seen else 0.0
    allowed = column.unchanged
    # Three standard deviations of a binomial share, and one row, are left to chance.
    slack = 3 * math.sqrt(allowed * (1 - allowed) / seen) + 1 / seen if seen and allowed > 0 else 0.0
    passed = share <= min(allowed + slack, 1.0) and missing == 0
    if chances is not None and seen:
        allowed, within = _by_value(raw, same, chances, once=_value_only(plan, column))
        passed = within and missing == 0
    if unexplained is not None and seen:
        allowed = (equal - unexplained) / seen
        passed = unexplained == 0 and missing == 0
    looked = "every row" if modulus == 1 else f"a sample of {pairs.rows:,} rows over the whole table"
    found = f"{share:.1%} of {seen:,} values stayed equal, {allowed:.1%} allowed under {column.mask} ({looked})"
    if missing:
        found = f"{missing:,} of {pairs.rows:,} rows are not in the replica under their masked key"
    figures = {"equal": equal, "seen": seen, "allowed": allowed, "missing": missing, "sampled_1_in": modulus}
    return Check("unchanged", f"{plan.name}.{column.column.name}", passed, found, figures)


def _by_value(raw: Prints, same: Prints, chances: dict[int, float], *, once: bool) -> tuple[float, bool]:
    """The share of values that may stay, by what the mask says of each, and whether no more did.

    Equal values share one draw, where the mask depends on nothing else: each counts ``once``.
    """
    import numpy as np

    drawn, times = distinct(raw)
    stayed = len(distinct(raw[same])[0]) if once else int(same.sum())
    times = np.ones_like(times) if once else times
    most = _expected(np.fromiter(map(chances.__getitem__, drawn.tolist()), np.float64, len(drawn)), times)
    return min(1.0, most / int(times.sum())), stayed <= most


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
    plain: _Explained,
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
    left = modulus
    if not part.leftover:
        masked_keys = [query.expressions[part.ready[part.writes.index(k)]].this for k in key]
        query, left = _sampled(query, masked_keys, plan, dialect, modulus)
    reader.use_keys(pads_for([query], keys))
    width = len(part.writes)
    both = replace(
        part,
        query=query,
        writes=(*part.writes, *(f"dbmask_old_{i}" for i in range(len(masked)))),
        ready=(*part.ready, *range(extra, extra + len(masked))),
    )
    where = [part.writes.index(k) for k in key]
    return _collect(reader, both, where, range(width, width + len(masked)), plan, masked, left, chances, plain)


def _sampled(
    query: exp.Select, keys: Sequence[exp.Expression], plan: TablePlan, dialect: str, modulus: int
) -> tuple[exp.Select, int]:
    """The query over the sample's rows, and 1; or the query as it is, and the modulus that is left to Python."""
    picked = row_sample(keys, _key_types(plan), dialect, modulus)
    return (query, modulus) if picked is None else (query.where(picked), 1)


def _replica_rows(plan: TablePlan, masked: Sequence[ColumnPlan], reader: Reader, dialect: str, modulus: int) -> _Rows:
    """Masked key -> masked values, for the sampled rows of the replica."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    names = [*plan.table.primary_key, *(c.column.name for c in masked)]
    query = exp.select(*(exp.alias_(column(n, SOURCE_ALIAS), f"c{i}", quoted=True) for i, n in enumerate(names)))
    query = query.from_(relation(plan.table))
    width = len(plan.table.primary_key)
    query, left = _sampled(query, [column(n, SOURCE_ALIAS) for n in names[:width]], plan, dialect, modulus)
    part = Reading(query, tuple(f"c{i}" for i in range(len(names))), tuple(range(len(names))), ())
    return _collect(reader, part, range(width), range(width, len(names)), plan, masked, left)


def _collect(
    reader: Reader,
    part: Reading,
    key_at: Sequence[int],
    value_at: Sequence[int],
    plan: TablePlan,
    masked: Sequence[ColumnPlan],
    modulus: int,
    chances: _Chances | None = None,
    plain: _Explained | None = None,
) -> _Rows:
    import numpy as np

    stays = [_stays(plan, c) for c in masked]
    types = _key_types(plan)
    found: list[list[Prints]] = [[] for _ in (types[:1], *masked)]
    for batch in masked_batches(reader, part, _BATCH):
        keys, columns = [batch[i] for i in key_at], [batch[i] for i in value_at]
        if modulus > 1:
            picked = is_picked(keys, types, modulus)
            keys, columns = ([list(compress(c, picked)) for c in some] for some in (keys, columns))
        of_keys = key_prints(keys, types)
        of_values = [value_prints(values, c.column.type) for values, c in zip(columns, masked, strict=True)]
        for parts, prints in zip(found, (of_keys, *of_values), strict=True):
            parts.append(prints)
        if plain is not None:
            plain.look(of_keys, columns, of_values)
        for known, chance, values, prints in zip(chances or (), stays, columns, of_values, strict=False):
            if known is not None and chance is not None:
                for print_, value in dict(zip(prints.tolist(), values, strict=True)).items():
                    if print_ and print_ not in known:
                        known[print_] = chance(value)
    rows = [np.concatenate(parts) if parts else np.empty(0, np.int64) for parts in found]
    return _Rows(rows[0], rows[1:])


def _paired(before: _Rows, after: _Rows) -> _Pairs:
    """Rows of both sides by their masked keys."""
    import numpy as np

    order = np.argsort(after.keys)
    keys = after.keys[order]
    at = np.searchsorted(keys, before.keys)
    at[at == len(keys)] = 0
    both = keys[at] == before.keys if len(keys) else np.zeros(len(before.keys), np.bool_)
    places = order[at[both]]
    return _Pairs(
        len(before.keys),
        int(len(before.keys) - both.sum()),
        [v[both] for v in before.values],
        [v[places] for v in after.values],
    )
