"""SQLite. It has neither SHA-256 nor typed columns: the connector registers the functions named in FUNCTIONS, which hold the keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, column, integer, json_list, text
from dbmask_sql.keyref import NAME, key_ref
from dbmask_sql.kinds import Kind

__all__ = ["DIALECT", "FUNCTIONS"]

FUNCTIONS = {
    "dbmask_sha256": 1,
    "dbmask_prf": 2,
    "dbmask_prf_short": 2,
    "dbmask_word": 2,
    "dbmask_prf_word": 3,
    "dbmask_canonical": 2,
    "dbmask_repeat": 2,
}
"""Functions that a connection must offer, with their number of arguments."""


class SQLite(Dialect):
    """SQLite 3.37 and later, with dbmask's functions registered."""

    name = "sqlite"
    greatest = "MAX"
    least = "MIN"

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM, Kind.INTEGER, Kind.DATE):
            return cast(value, "TEXT", self.name)
        if kind in (Kind.BOOLEAN, Kind.DECIMAL, Kind.TIMESTAMP):
            return call("dbmask_canonical", value, text(kind.value))
        return None

    def sha256_hex(self, data: E) -> E:
        return call("dbmask_sha256", data)

    def utf8(self, value: E) -> E:
        return cast(value, "BLOB", self.name)

    def prf_hex(self, value: E, key: str) -> E:
        return call("dbmask_prf", value, key_ref(key, NAME))

    def prf_short_hex(self, value: E, key: str) -> E:
        return call("dbmask_prf_short", value, key_ref(key, NAME))

    def prf_word(self, value: E, key: str, index: int = 0) -> E:
        return call("dbmask_prf_word", value, key_ref(key, NAME), integer(index))

    def word(self, hex_digits: E, index: int) -> E:
        return call("dbmask_word", hex_digits, integer(index))

    def repeat(self, value: str, count: E) -> E:
        return call("dbmask_repeat", text(value), count)

    def translate(self, value: E, source: str, target: str) -> E | None:
        return None

    def to_int(self, value: E) -> E:
        return cast(value, "INTEGER", self.name)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.Div(this=value, expression=integer(by) if isinstance(by, int) else by, typed=True))

    def choose(self, values: Sequence[str], index: E) -> E | None:
        path = exp.Paren(this=exp.DPipe(this=exp.DPipe(this=text("$["), expression=index), expression=text("]")))
        return call("JSON_EXTRACT", text(json_list(values)), path)

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        table = f"dbmask_let_{'_'.join(values)}"
        inner = exp.select(*(exp.alias_(v, n, quoted=True) for n, v in values.items())).subquery(table)
        return exp.select(body({n: column(n, table) for n in values})).from_(inner).subquery()

    def date_part(self, value: E, part: str) -> E:
        spec = {"year": "%Y", "month": "%m", "day": "%d"}[part]
        return cast(call("STRFTIME", text(spec), value), "INTEGER", self.name)

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        move = exp.Paren(this=exp.DPipe(this=days, expression=text(" days")))
        if kind is Kind.DATE:
            return call("DATE", value, move)
        return None


DIALECT = SQLite()
