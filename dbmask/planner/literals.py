"""Literals of the structure that equal values of masked columns: a default, a CHECK, a partition's bound, a comment, a body.

The structure travels as it is, and what stands in it would be raw in the replica. Values are compared here: no literal is
sent to the database, and none is shown.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dbmask.errors import Problem, UsageError
from dbmask.planner.ddl import literals, objects
from dbmask.planner.model import SOURCE_ALIAS, ColumnPlan, Plan, RunsIn, TablePlan
from dbmask.planner.select import relation
from dbmask.policy.model import Policy, TableMode
from dbmask.schema import Kind
from dbmask.spi import Reader, Source, Structure

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["check_literals"]

_KINDS = (Kind.TEXT, Kind.UUID, Kind.INTEGER, Kind.DATE)
_AT_ONCE = 20
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
    known = {kind: _fitting(holding, kind) for kind in _KINDS}
    masked = [(t, g) for t in plan if t.mode is TableMode.MASK for g in _together(t, known, plan.schema.dialect)]
    if not masked:
        return [], []
    allowed = _allowed(policy)
    found: dict[str, list[str]] = {}
    with source.snapshot() as reader:
        for table, columns in masked:
            for column, literal in _held(reader, table, columns, known, plan.schema.dialect):
                for shown in holding[literal]:
                    found.setdefault(shown, []).append(f"{table.name}.{column.column.name}")
    names = {shown: spelled for places in holding.values() for shown, spelled in places.items()}
    problems, excused = [], []
    for shown, names_of in sorted(found.items()):
        if allowed.intersection(names[shown]):
            excused.append(shown)
            continue
        what = (
            f"its definition holds a literal that equals a value of {', '.join(sorted(set(names_of)))}, which is masked"
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
    there = table.table.column(column.column.name) is not None
    return there and column.masked and column.runs_in is not RunsIn.DATABASE and column.column.type.kind in _KINDS


def _together(table: TablePlan, known: Mapping[Kind, Mapping[str, str]], dialect: str) -> Iterator[list[ColumnPlan]]:
    """The columns of a table in which literals are looked for, in groups that one query reads: texts of a few columns at once."""
    wanted = [c for c in table.columns if _looked_at(table, c) and known[c.column.type.kind]]
    texts = [c for c in wanted if c.column.type.kind is Kind.TEXT]
    step = 1 if dialect == "generic" else _AT_ONCE
    yield from (texts[at : at + step] for at in range(0, len(texts), step))
    yield from ([c] for c in wanted if c not in texts)


def _held(
    reader: Reader,
    table: TablePlan,
    columns: Sequence[ColumnPlan],
    known: Mapping[Kind, Mapping[str, str]],
    dialect: str,
) -> Iterator[tuple[ColumnPlan, str]]:
    """Which of these literals the columns hold, but for what many rows have in common."""
    from sqlglot import exp

    limit = max(_COMMON_ROWS, _COMMON_SHARE * (table.table.rows or 0))
    times: Counter[tuple[int, str]] = Counter()
    parts: list[exp.Expression] = [
        _query(table, c, i, known[c.column.type.kind], dialect) for i, c in enumerate(columns)
    ]
    query: exp.Expression = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    for batch in reader.read(query):
        for at, value, count in zip(*batch, strict=True):
            column = columns[int(at)]
            text = _plain(value, column)
            if text in known[column.column.type.kind]:
                times[int(at), text] += int(count)
    for (at, text), count in times.items():
        if count <= limit:
            yield columns[at], known[columns[at].column.type.kind][text]


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


def _query(table: TablePlan, column: ColumnPlan, at: int, wanted: Mapping[str, str], dialect: str) -> exp.Select:
    """The column's number, values with their number of rows, narrowed in the database by what says nothing of the literals themselves."""
    from sqlglot import exp

    type_ = column.column.type
    longest = type_.length or max(map(len, wanted))
    if type_.kind is Kind.TEXT:
        narrowed = sorted({len(w) for w in wanted if len(w) <= longest}) or [-1]
    elif type_.kind is Kind.INTEGER:
        narrowed = sorted({sign * (abs(int(w)) % _BUCKETS) for w in wanted for sign in (1, -1)})
    else:
        narrowed = []
    # Thousands of columns differ by their names alone: what is read of them is built once.
    made = _form(type_.kind, type_.padded, at, tuple(narrowed), dialect).copy()
    for node in made.find_all(exp.Column):
        node.this.set("this", column.column.name)
    return made.from_(relation(table.table), copy=False)


@lru_cache(maxsize=256)
def _form(kind: Kind, padded: bool, at: int, narrowed: tuple[int, ...], dialect: str) -> exp.Select:
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import column as ref
    from dbmask_sql.dialects.base import integer

    to = primitives(dialect)
    value = ref("c", SOURCE_ALIAS)
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    if dialect == "generic":  # nothing can be said there of bytes and lengths: every row is read
        every = {"at": integer(at), "v": value, "n": integer(1)}
        return exp.select(*(exp.alias_(made, name, quoted=True) for name, made in every.items())).where(present)
    # As bytes, since a column's own equality may hold different texts equal.
    plain = to.plain(value.copy(), padded) if kind is Kind.TEXT else value
    seen = to.utf8(plain.copy()) if kind is Kind.TEXT else value
    shown = {"at": integer(at), "v": seen, "n": exp.Count(this=exp.Star())}
    query = exp.select(*(exp.alias_(made, name, quoted=True) for name, made in shown.items()))
    query = query.group_by(seen.copy()).where(present)
    if narrowed:
        place = to.length(plain.copy()) if kind is Kind.TEXT else to.mod(value.copy(), _BUCKETS)
        query = query.where(exp.In(this=place, expressions=[integer(n) for n in narrowed]))
    return query
