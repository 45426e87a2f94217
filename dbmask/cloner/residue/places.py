"""What is looked for and where: masked columns of the source, all columns of the replica."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.cloner.prints import Membership, distinct, known_among
from dbmask.cloner.sampling import row_sample
from dbmask.planner import ColumnPlan, RunsIn, TablePlan
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import relation
from dbmask.policy.model import TableMode
from dbmask.schema import Kind, TableName

if TYPE_CHECKING:
    import numpy as np
    from sqlglot import exp

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["WHOLE_ROWS", "Place", "Searched", "Sides", "all_of", "fit_columns", "note_hits", "places_of", "searched"]

WHOLE_ROWS = 10_000_000
"""Tables of up to so many rows are read whole; of larger ones about so many rows are read."""
_COMMON = 0.01
_SEARCHED = (Kind.TEXT, Kind.UUID, Kind.INTEGER)
_LOOKED_IN = (*_SEARCHED, Kind.JSON, Kind.OTHER)


@dataclass
class Searched:
    """One masked column: the hashes of its telling values, each once, sorted; how many values were read.

    ``signed`` says that each of the values holds the sign that :mod:`dbmask.cloner.residue.signs` looks for.
    """

    name: str
    hashes: Hashes
    seen: int
    modulus: int
    signed: bool = False
    found: Counter[str] = field(default_factory=Counter)


@dataclass
class Place:
    """A column of the replica, of ``kind`` there, that is looked in.

    ``allowed`` is the share of its values that may be equal to one of a masked column's.
    """

    name: str
    column: ColumnPlan
    kind: Kind
    whole: bool
    allowed: float
    seen: int = 0


def searched(name: str, parts: Sequence[Hashes], seen: int, modulus: int, signed: bool) -> Searched:
    """A masked column with the fingerprints of its values; what so many have that it is nobody's is left out."""
    import numpy as np

    all_of = np.concatenate(parts) if parts else np.empty(0, np.int64)
    each, times = distinct(all_of)
    return Searched(name, each[times <= max(20, _COMMON * len(all_of))], seen, modulus, signed)


def note_hits(place: Place, hits: Hashes, wanted: Sequence[Searched]) -> None:
    """Count fingerprints that were found in a place for the columns they are of."""
    if len(hits):
        for one in wanted:
            found = len(known_among(hits, one.hashes))
            if found:
                one.found[place.name] += found


def all_of(wanted: Sequence[Searched]) -> Membership:
    """The fingerprints of several columns."""
    import numpy as np

    # Sorted parts are merged, not sorted again.
    return Membership(np.sort(np.concatenate([w.hashes for w in wanted]), kind="stable"))


def fit_columns(plan: TablePlan) -> tuple[list[ColumnPlan], list[str]]:
    """The masked columns of a table whose values can be looked for, and the names of the others."""
    if plan.mode is not TableMode.MASK:
        return [], []
    there = {c.name for c in plan.table.columns}
    masked = [c for c in plan.columns if c.masked and c.runs_in is not RunsIn.DATABASE and c.column.name in there]
    fit = [c for c in masked if c.column.type.kind in _SEARCHED and not _permutes(plan, c.column.name)]
    return fit, [f"{plan.name}.{c.column.name}" for c in masked if c not in fit]


def _permutes(plan: TablePlan, column: str) -> bool:
    return any(column in u.bound.outputs and u.promises(column).permutes for u in plan.units)


@dataclass(frozen=True)
class Sides:
    """How the two databases are asked: the tables' sizes, and the dialect of each."""

    rows: Mapping[TableName, int]
    dialects: tuple[str, str]

    def modulus(self, plan: TablePlan) -> int:
        """One row in how many is read of a table."""
        return max(1, self.rows.get(plan.name, 0) // WHOLE_ROWS)

    def sampled(self, plan: TablePlan) -> int:
        """How many rows of a table are looked at."""
        return self.rows.get(plan.name, 0) // self.modulus(plan)

    def of_source(self, plan: TablePlan, columns: Sequence[ColumnPlan], modulus: int = 0) -> exp.Select:
        """A query of columns of the source, called c0, c1, ..., over the rows that the clone reads."""
        names = [c.column.name for c in columns]
        query = _selected(plan, names, self.dialects[0], modulus or self.modulus(plan), plan.table.primary_key)
        return query if plan.picked is None else query.where(plan.picked.copy())

    def of_replica(self, plan: TablePlan, places: Sequence[Place]) -> exp.Select:
        """A query of columns of the replica, called c0, c1, ..."""
        key = plan.table.primary_key if set(plan.table.primary_key) <= set(plan.writes) else ()
        return _selected(plan, [p.column.column.name for p in places], self.dialects[1], self.modulus(plan), key)


def _selected(plan: TablePlan, columns: Sequence[str], dialect: str, modulus: int, key: Sequence[str]) -> exp.Select:
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    query = exp.select(*(exp.alias_(column(n, SOURCE_ALIAS), f"c{i}", quoted=True) for i, n in enumerate(columns)))
    query = query.from_(relation(plan.table))
    types = [c.column.type for name in key for c in plan.columns if c.column.name == name]
    if modulus == 1 or len(types) < len(key) or not key:
        return query
    picked = row_sample([column(n, SOURCE_ALIAS) for n in key], types, dialect, modulus)
    return query if picked is None else query.where(picked)


def places_of(plan: TablePlan) -> list[Place]:
    """The columns of the replica's table, each with what chance may do there."""
    if plan.mode is TableMode.EMPTY:
        return []
    made = []
    drawn = [c for c in plan.columns if c.masked and c.runs_in in (RunsIn.SQL, RunsIn.PYTHON)]
    forms = any(c.unchanged > 0 for c in drawn)
    for c in plan.columns:
        type_ = c.out_type if c.runs_in in (RunsIn.SQL, RunsIn.PYTHON) else c.column.type
        if c.runs_in is RunsIn.NOWHERE or type_.kind not in _LOOKED_IN:
            continue
        name = f"{plan.name}.{c.column.name}"
        if c.runs_in is RunsIn.DATABASE:  # made of masked values, which may be of the form of raw ones
            made.append(Place(name, c, type_.kind, False, 0.5 if forms else 0.0))
        elif not c.masked:
            made.append(Place(name, c, type_.kind, False, 0.0))
        else:
            made.append(Place(name, c, type_.kind, True, _chance(plan, c)))
    return made


def _chance(plan: TablePlan, column: ColumnPlan) -> float:
    """The share of a masked column's values that may be equal to raw ones: its mask's, or by the likeness of its form."""
    if column.unchanged == 0:
        return 0.0
    if any(column.column.name in u.bound.outputs and hasattr(u.bound, "stays") and u.bound.stays for u in plan.units):
        return 0.5  # numbers of one form are dense where many have one; rows are compared one by one elsewhere
    return column.unchanged
