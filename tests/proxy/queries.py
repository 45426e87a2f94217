"""SELECTs made by Hypothesis, over the tables of the small database: every one has one answer, whatever the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

__all__ = ["selects"]

TABLES = {
    "person": {
        **{"id": "int", "name": "text", "mail": "text", "born": "date", "mood": "mood", "score": "num", "tag": "text"},
        **{"town": "int", "initial": "text"},
    },
    "town": {"id": "int", "name": "text", "size": "int"},
    "visit": {"id": "int", "person": "int", "day": "date", "cost": "num"},
    "part": {"id": "int", "kind": "text", "who": "text"},
    "named": {"id": "int", "name": "text", "town": "text"},
    "costs": {"person": "int", "cost": "num"},
}
KINDS = ("int", "text", "num", "date")
Draw = st.DrawFn


@dataclass(frozen=True)
class Row:
    """What stands in FROM under an alias: its columns and their types."""

    alias: str
    columns: dict[str, str]

    def of(self, kind: str) -> list[str]:
        """The columns of a type, with the alias."""
        return [f"{self.alias}.{name}" for name, is_kind in self.columns.items() if is_kind == kind]


class Maker:
    """Makes one query; ``ctes`` are in scope."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.count = 0
        self.ctes: dict[str, dict[str, str]] = {}

    def alias(self, letter: str = "t") -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def one(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def scalar(self, kind: str, rows: list[Row], depth: int = 2) -> str:
        """An expression of a type."""
        columns = [c for r in rows for c in r.of(kind)]
        leaves = {
            "int": ["1", "3", "NULL::int", "20"],
            "text": ["'x'", "''", "'Secret1'", "NULL::text"],
            "num": ["1.5", "10.00::numeric(10,2)"],
            "date": ["date '2024-01-09'", "NULL::date"],
        }[kind]
        if depth == 0 or self.draw(st.booleans()):
            return self.one(*(columns * 3 or []), *leaves)

        def a(of: str) -> str:
            return self.scalar(of, rows, depth - 1)

        made: dict[str, Callable[[], str]] = {
            "int": lambda: self.one(
                f"({a('int')} + {a('int')})",
                f"length({a('text')})",
                f"coalesce({a('int')}, {a('int')})",
                f"extract(month FROM {a('date')})::int",
                f"({a('date')} - {a('date')})",
                f"abs({a('int')} - 7)",
                f"nullif({a('int')}, {a('int')})",
                f"position('e' in {a('text')})",
                f"ascii({a('text')})",
            ),
            "text": lambda: self.one(
                f"upper({a('text')})",
                f"left({a('text')}, 3)",
                f"({a('text')} || {a('text')})",
                f"md5({a('text')})",
                f"CASE WHEN {self.condition(rows, depth - 1)} THEN {a('text')} ELSE {a('text')} END",
                f"{a('int')}::text",
                f"to_char({a('date')}, 'YYYY-MM')",
                f"substring({a('text')} from 2 for 4)",
                f"replace({a('text')}, 'a', 'b')",
                f"greatest({a('text')}, {a('text')})",
                f"trim(both '0' from {a('text')})",
                f"encode(sha256({a('text')}::bytea), 'hex')",
                f"split_part({a('text')}, '@', 1)",
                f"reverse({a('text')})",
            ),
            "num": lambda: self.one(
                f"({a('num')} * {a('int')})",
                f"round({a('num')}, 1)",
                f"({a('num')} - {a('num')})",
                f"{a('int')}::numeric",
            ),
            "date": lambda: self.one(
                f"({a('date')} + {a('int')})",
                f"least({a('date')}, {a('date')})",
                f"date_trunc('year', {a('date')})::date",
            ),
        }
        return made[kind]()

    def condition(self, rows: list[Row], depth: int = 2) -> str:
        """A condition."""
        if depth > 0 and self.draw(st.integers(0, 3)) == 0:
            return f"({self.condition(rows, depth - 1)} {self.one('AND', 'OR')} {self.one('', 'NOT ')}{self.condition(rows, depth - 1)})"
        kind = self.one(*KINDS)
        left = self.scalar(kind, rows, min(depth, 1))
        shape = self.draw(st.integers(0, 6))
        if shape == 0:
            return f"{left} IS {self.one('', 'NOT ')}NULL"
        if shape == 1 and kind == "text":
            return f"{left} {self.one('LIKE', 'NOT LIKE', '~', 'ILIKE')} '{self.one('%a%', 'S%', 'Secret%', '[0-9]')}'"
        if shape == 2 and depth > 0:
            return f"{left} {self.one('IN', 'NOT IN')} ({self.column(kind)})"
        if shape == 3 and depth > 0:
            inner, row = self.source()
            return f"{self.one('', 'NOT ')}EXISTS (SELECT FROM {inner} WHERE {self.condition([row, *rows], 0)})"
        if shape == 4:
            return f"{left} IS {self.one('', 'NOT ')}DISTINCT FROM {self.scalar(kind, rows, 1)}"
        return f"{left} {self.one('=', '<>', '<', '>=')} {self.scalar(kind, rows, 1)}"

    def column(self, kind: str) -> str:
        """A query of one column."""
        table = self.one(*(t for t, columns in TABLES.items() if kind in columns.values()))
        alias = self.alias("s")
        row = Row(alias, TABLES[table])
        return f"SELECT {self.one(*row.of(kind))} FROM {table} {alias} WHERE {self.condition([row], 0)}"

    def source(self) -> tuple[str, Row]:
        """A table, a CTE or a query, with its alias."""
        known = {**TABLES, **self.ctes}
        name = self.one(*known)
        alias = self.alias()
        row = Row(alias, known[name])
        shape = self.draw(st.integers(0, 5))
        if shape == 0:
            wanted = self.draw(st.lists(st.sampled_from(list(known[name])), min_size=1, max_size=3, unique=True))
            inner = Row("q", known[name])
            where = self.condition([inner], 1)
            picked = ", ".join(f"q.{c}" for c in wanted)
            return f"(SELECT {picked} FROM {name} q WHERE {where}) AS {alias}", Row(
                alias, {c: known[name][c] for c in wanted}
            )
        if shape == 1 and name in TABLES:
            return f"public.{name} {alias}", row
        return f"{name} {alias}", row

    def joined(self) -> tuple[str, list[Row]]:
        """A FROM clause."""
        text, first = self.source()
        rows = [first]
        for _ in range(self.draw(st.integers(0, 2))):
            shape = self.draw(st.integers(0, 4))
            if shape == 0:
                alias, kind = self.alias("l"), self.one(*KINDS)
                value = self.scalar(kind, rows, 1)
                where = self.condition([Row("w", TABLES["visit"]), *rows], 0)
                text += (
                    f" CROSS JOIN LATERAL (SELECT {value} AS v, count(*) AS n FROM visit w WHERE {where}) AS {alias}"
                )
                rows.append(Row(alias, {"v": kind, "n": "big"}))
                continue
            other, row = self.source()
            # Within bounds: equality of something that both have.
            pairs = [(x, y) for k in ("int", "text") for r in rows for x in r.of(k) for y in row.of(k)]
            if not pairs:
                continue
            x, y = self.draw(st.sampled_from(pairs))
            text += f" {self.one('JOIN', 'LEFT JOIN', 'FULL JOIN')} {other} ON {x} = {y}"
            rows.append(row)
        return text, rows

    def core(self, kinds: list[str]) -> str:
        """A SELECT of columns of these types, without ORDER BY."""
        text, rows = self.joined()
        where = f" WHERE {self.condition(rows)}" if self.draw(st.booleans()) else ""
        shape = self.draw(st.integers(0, 3))
        if shape == 0:
            keys = [self.scalar(k, rows, 1) for k in kinds]
            made = ", ".join(f"{k} AS c{i}" for i, k in enumerate(keys))
            value, number = self.scalar("text", rows, 1), self.scalar("num", rows, 1)
            more = self.one(
                "count(*)",
                f"count(DISTINCT {value})",
                f"min({value})",
                f"sum({number})",
                f"string_agg({value}, ',' ORDER BY {value})",
                f"max({value}) FILTER (WHERE {self.condition(rows, 0)})",
                f"array_agg(DISTINCT {value} ORDER BY {value})",
                f"bool_or({value} > 'k')",
                f"count({value})::text || max({number})",
                f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {number})",
            )
            groups = ", ".join(f"({k})" for k in keys)
            grouping = self.one(groups, groups, f"ROLLUP ({groups})", f"GROUPING SETS ({groups}, ())")
            having = self.one("", "", " HAVING count(*) > 1")
            return f"SELECT {made}, {more} AS extra FROM {text}{where} GROUP BY {grouping}{having}"
        made = ", ".join(f"{self.scalar(k, rows)} AS c{i}" for i, k in enumerate(kinds))
        if shape == 1:
            part, order = self.scalar("text", rows, 1), self.scalar(self.one(*KINDS), rows, 1)
            number = self.scalar("num", rows, 1)
            over = self.one(
                f"rank() OVER (PARTITION BY {part} ORDER BY {order})",
                f"dense_rank() OVER (ORDER BY {order})",
                "count(*) OVER w",
                f"sum({number}) OVER (PARTITION BY {part})",
                f"max({part}) OVER (ORDER BY {order} RANGE UNBOUNDED PRECEDING)",
            )
            window = f" WINDOW w AS (PARTITION BY {part})" if "OVER w" in over else ""
            return f"SELECT {made}, {over} AS extra FROM {text}{where}{window}"
        distinct = "DISTINCT " if shape == 2 else ""
        return f"SELECT {distinct}{made}, ({self.scalar('text', rows, 1)}) AS extra FROM {text}{where}"

    def query(self) -> str:
        """A whole query."""
        with_ = []
        for _ in range(self.draw(st.integers(0, 2))):
            # A CTE may hide a table of its name.
            name = self.one("c1", "town", "person", "c2")
            if name in self.ctes:
                continue
            kinds = self.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=2))
            columns = {f"c{i}": k for i, k in enumerate(kinds)}
            materialized = self.one("", "MATERIALIZED ", "NOT MATERIALIZED ")
            with_.append(
                f"{name} AS {materialized}(SELECT {', '.join(columns)} FROM ({self.core(kinds)}) AS of_{name})"
            )
            self.ctes[name] = columns
        kinds = self.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
        body = f"SELECT {', '.join(f'c{i}' for i in range(len(kinds)))}, extra::text FROM ({self.core(kinds)}) AS whole"
        if self.draw(st.integers(0, 2)) == 0:
            other = f"SELECT {', '.join(f'c{i}' for i in range(len(kinds)))}, extra::text FROM ({self.core(kinds)}) AS other"
            body = f"{body} {self.one('UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT', 'EXCEPT ALL')} {other}"
        order = ", ".join(str(i + 1) for i in range(len(kinds) + 1))
        limit = self.one("", "", " LIMIT 7", " OFFSET 2", " FETCH FIRST 3 ROWS WITH TIES")
        begin = f"WITH {', '.join(with_)} " if with_ else ""
        return f"{begin}{body} ORDER BY {order}{limit}"


@st.composite
def selects(draw: Draw) -> str:
    """A SELECT whose rows come in one order."""
    return Maker(draw).query()
