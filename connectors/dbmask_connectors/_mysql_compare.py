"""A table beside what it was: in parts between bounds of its key, or above the highest value of a column.

Bounds and values reach the session as those of chunks do (_mysql_parts), and stand in no statement.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import Table, TableName
from dbmask.spi import PartSum, Span
from dbmask_connectors._mysql_load import Dest
from dbmask_connectors._mysql_parts import (
    KEYS,
    SORTED,
    bound_at,
    bounded,
    cuts_every,
    hold_rows,
    relation,
    sum_query,
)
from dbmask_connectors._mysql_relay import line_query
from dbmask_connectors._mysql_session import Session, quoted

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["beyond", "beyond_sum", "bounds", "changed", "highest", "part_span", "part_sums", "runs"]

_HELD = 200
"""Parts whose bounds a session holds at once: keys of 3,072 bytes would fill a table in memory."""
_LONGEST = 3072
"""Bytes of a key: several of more would not fit into one row in memory."""
_MOST = 2000
"""Into about so many parts a large table is cut: each is a question of its own."""


def _column(session: Session, name: TableName, column: str) -> Dest | None:
    """A column whose values can be bounds; None where its type's cannot."""
    sql = (
        "SELECT data_type, character_set_name, character_octet_length FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s AND column_name = %s"
    )
    found = session.run(sql, (name.schema, name.name, column))
    if not found:
        raise ConnectorError(f"{name}: there is no column {column}")
    data_type, charset, length = found[0]
    holds = data_type.lower() in SORTED and (length or 0) <= _LONGEST
    return Dest(column, data_type.lower(), charset or "") if holds else None


def bounds(session: Session, table: Table, column: str, rows: int) -> list[str]:
    """Every so many rows a key, or more of a large table; none where the key's type keeps no order. Raises ConnectorError."""
    name = table.name
    dest = _column(session, name, column)
    if dest is None:
        return []
    sql = "SELECT table_rows FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return cuts_every(session, name, dest, max(rows, int(session.value(sql, (name.schema, name.name)) or 0) // _MOST))


def part_sums(
    session: Session, table: Table, column: str, bounds: Sequence[str], values: Sequence[str] = ()
) -> list[PartSum]:
    """One question for each part; the key's index is read from bound to bound. Raises ConnectorError."""
    where = f"{table.name}: reading"
    base = sum_query(session, table.name, values).sql(dialect="mysql")
    if not bounds:
        return [_of(session.run(base, where=where))]
    ends = list(itertools.pairwise([None, *bounds, None]))
    here, made = f"dbmask_src.{quoted(column)}", []
    for at in range(0, len(ends), _HELD):
        some = ends[at : at + _HELD]
        # An open end holds the other one's value: no condition reads it.
        rows = [(str(n), low or high or "", high or low or "") for n, (low, high) in enumerate(some)]
        listed = f"0 AS n, {quoted(column)} AS low, {quoted(column)} AS high"
        held = quoted(hold_rows(session, table.name, listed, rows, "(PRIMARY KEY (n))"))
        for number, (low, high) in enumerate(some):
            wanted = [f"h.n = {number}"]
            wanted += [f"{here} >= h.low"] * (low is not None) + [f"{here} < h.high"] * (high is not None)
            made.append(_of(session.run(f"{base} CROSS JOIN {held} AS h WHERE {' AND '.join(wanted)}", where=where)))
    return made


def _of(found: list[tuple[object, ...]]) -> PartSum:
    ((rows, total),) = found
    return PartSum(int(str(rows)), int(str(rows)), "" if total is None else str(total))


def runs(parts: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Numbers in ascending order as ranges (first, after the last) of neighbours, each of at most so many."""
    for _, group in itertools.groupby(enumerate(parts), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in group]
        for at in range(0, len(numbers), most):
            some = numbers[at : at + most]
            yield some[0], some[-1] + 1


def changed(query: exp.Select, table: Table, column: str, bounds: Sequence[str], parts: Sequence[int]) -> exp.Select:
    """The query over parts' rows; its bounds are placeholders that the reader resolves."""
    from sqlglot import exp

    made = query.copy()
    alias = made.args["from_"].this.alias
    ends = [None, *bounds, None]
    ranges: list[exp.Condition] = []
    for first, after in runs(parts, len(ends)):
        here = exp.column(column, table=alias, quoted=True)
        both: list[exp.Expression] = []
        for value, compare in ((ends[first], exp.GTE), (ends[after], exp.LT)):
            if value is not None:
                bound: exp.Expression = compare(this=here.copy(), expression=bound_at(table.name, column, value))
                both.append(bound)
        if not both:
            return made
        ranges.append(exp.and_(*both))
    return made.where(exp.or_(*ranges), copy=False)


def highest(session: Session, table: Table, column: str) -> str | None:
    """MAX() as LOAD DATA reads it; None where there is none, or none that could be compared with. Raises ConnectorError."""
    from sqlglot import exp

    dest = _column(session, table.name, column)
    if dest is None:
        return None
    here = exp.column(column, table="dbmask_src", quoted=True)
    query = exp.select(exp.Max(this=here).as_(column, quoted=True)).from_(relation(table.name))
    sql = line_query(query, [dest], [True]).sql(dialect="mysql")
    with session.streaming(sql, f"{table.name}: reading") as stream:
        line = b"".join(line or b"" for _, line in stream.lines()).removesuffix(b"\n")
    return None if line in (b"", b"NULL") else line.decode("latin-1")


def beyond(query: exp.Select, table: Table, column: str, value: str, also: bool) -> exp.Select:
    """The query over rows above a value; where ``also``, at it, and those without one, too."""
    from sqlglot import exp

    made = query.copy()
    here = exp.column(column, table=made.args["from_"].this.alias, quoted=True)
    bound = bound_at(table.name, column, value)
    if not also:
        return made.where(exp.GT(this=here, expression=bound), copy=False)
    missing = exp.Is(this=here.copy(), expression=exp.null())
    return made.where(exp.or_(exp.GTE(this=here, expression=bound), missing), copy=False)


def beyond_sum(session: Session, table: Table, column: str, value: str, also: bool, values: Sequence[str]) -> PartSum:
    """Rows and checksum of what :func:`beyond` reads. Raises ConnectorError."""
    query = beyond(sum_query(session, table.name, values), table, column, value, also)
    return _of(session.run(bounded(session, query).sql(dialect="mysql"), where=f"{table.name}: reading"))


def part_span(place: TableName, column: str, low: str | None, high: str | None) -> Span:
    """The rows of a table between two bounds of its key."""
    return Span(place, KEYS, low, high, json.dumps([column]))
