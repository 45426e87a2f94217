"""Literals of the structure that equal values of masked columns: a default, a CHECK, a partition's bound, a comment, a body.

The structure travels as it is, and what stands in it would be raw in the replica. Values are compared here: no literal is
sent to the database, and none is shown.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dbmask.errors import Problem, UsageError
from dbmask.planner.binding import SOURCE_ALIAS
from dbmask.planner.ddl import literals, objects
from dbmask.planner.model import ColumnPlan, Plan, RunsIn, TablePlan
from dbmask.planner.select import relation
from dbmask.policy.model import Policy, TableMode
from dbmask.schema import Kind
from dbmask.spi import Reader, Source, Structure

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["check_literals"]

_LEAST = 3
_COMMON_ROWS = 20
_COMMON_SHARE = 0.01
_BUCKETS = 9973
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INTEGER = re.compile(r"-?[0-9]{5,18}\Z")


def check_literals(plan: Plan, structure: Structure, source: Source, policy: Policy) -> tuple[list[Problem], list[str]]:
    """A problem for each object whose definition holds a value of a masked column, and the objects that the policy allows.

    A text of fewer than three characters, a number of fewer than five digits, and what more than 20 rows and one in a
    hundred have in common tell of nobody. Raises UsageError where ``allow_ddl:`` is no list of names.
    """
    holding = _holding(structure, plan.schema.default_schema)
    masked = [(t, c) for t in plan if t.mode is TableMode.MASK for c in t.columns if _looked_at(t, c)]
    if not holding or not masked:
        return [], []
    allowed = _allowed(policy)
    found: dict[str, list[str]] = {}
    with source.snapshot() as reader:
        for table, column in masked:
            name = f"{table.name}.{column.column.name}"
            for literal in _common_values(reader, table, column, set(holding), plan.schema.dialect):
                for shown in holding[literal]:
                    found.setdefault(shown, []).append(name)
    names = {shown: spelled for places in holding.values() for shown, spelled in places.items()}
    problems, excused = [], []
    for shown, columns in sorted(found.items()):
        if allowed.intersection(names[shown]):
            excused.append(shown)
            continue
        what = (
            f"its definition holds a literal that equals a value of {', '.join(sorted(set(columns)))}, which is masked"
        )
        problems.append(Problem(shown, what, f"change it at the source, or name it: `allow_ddl: ['{shown}']`"))
    return problems, excused


def _allowed(policy: Policy) -> set[str]:
    named = policy.sections.get("allow_ddl") or []
    if not isinstance(named, list) or not all(isinstance(n, str) for n in named):
        raise UsageError("`allow_ddl:` is a list of objects, each schema.name")
    return set(named)


def _holding(structure: Structure, default_schema: str) -> dict[str, dict[str, frozenset[str]]]:
    """Literal -> the objects whose definitions hold it, each with the names by which a policy may mean it."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for entry in (*structure.pre, *structure.post):
        shown, names, sql = objects(entry, structure.dialect, default_schema)
        spelled = frozenset(names)
        for literal in literals(sql):
            if len(literal) >= _LEAST:
                found.setdefault(literal, {})[shown] = spelled
    return found


def _looked_at(table: TablePlan, column: ColumnPlan) -> bool:
    kinds = (Kind.TEXT, Kind.UUID, Kind.INTEGER, Kind.DATE)
    there = table.table.column(column.column.name) is not None
    return there and column.masked and column.runs_in is not RunsIn.DATABASE and column.column.type.kind in kinds


def _common_values(
    reader: Reader, table: TablePlan, column: ColumnPlan, known: set[str], dialect: str
) -> Iterator[str]:
    """Which of these literals the column holds, but for what many rows have in common."""
    wanted = _fitting(known, column.column.type.kind)
    if not wanted:
        return
    limit = max(_COMMON_ROWS, _COMMON_SHARE * (table.table.rows or 0))
    times: dict[str, int] = {}
    for values, counts in reader.read(_query(table, column, wanted, dialect)):
        for value, count in zip(values, counts, strict=True):
            text = _plain(value, column)
            if text in wanted:
                times[text] = times.get(text, 0) + int(count)
    yield from (wanted[text] for text, count in times.items() if count <= limit)


def _fitting(known: Iterable[str], kind: Kind) -> Mapping[str, str]:
    """The literals that can be values of a kind, by the text that such a value has."""
    if kind is Kind.INTEGER:
        return {str(int(k)): k for k in known if _INTEGER.match(k)}
    if kind is Kind.DATE:
        return {k[:10]: k for k in known if _DATE.match(k[:10]) and (len(k) == 10 or k[10] in " T")}
    if kind is Kind.UUID:
        return {k.lower(): k for k in known if len(k) == 36}
    return {k: k for k in known}


def _plain(value: Any, column: ColumnPlan) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    return (
        text.rstrip(" ")
        if column.column.type.padded
        else text.lower()
        if column.column.type.kind is Kind.UUID
        else text
    )


def _query(table: TablePlan, column: ColumnPlan, wanted: Mapping[str, str], dialect: str) -> exp.Select:
    """Values with their number of rows, narrowed in the database by what says nothing of the literals themselves."""
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import column as ref
    from dbmask_sql.dialects.base import integer

    to = primitives(dialect)
    value = ref(column.column.name, SOURCE_ALIAS)
    kind = column.column.type.kind
    # As bytes, since a column's own equality may hold different texts equal.
    plain = to.plain(value.copy(), column.column.type.padded)
    seen = to.utf8(plain.copy()) if kind is Kind.TEXT else value
    query = exp.select(exp.alias_(seen, "v", quoted=True), exp.alias_(exp.Count(this=exp.Star()), "n", quoted=True))
    query = query.from_(relation(table.table)).group_by(seen.copy())
    query = query.where(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
    if kind is Kind.TEXT:
        lengths = sorted({len(w) for w in wanted})
        query = query.where(exp.In(this=to.length(plain.copy()), expressions=[integer(n) for n in lengths]))
    elif kind is Kind.INTEGER:
        classes = sorted({sign * (abs(int(w)) % _BUCKETS) for w in wanted for sign in (1, -1)})
        query = query.where(exp.In(this=to.mod(value.copy(), _BUCKETS), expressions=[integer(n) for n in classes]))
    return query
