"""SQLite. It has neither SHA-256 nor typed columns: the connector registers the functions named in FUNCTIONS, which hold the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, integer, json_list, text
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

_REPEATED = 256


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

    # A function is given bytes: a text would be decoded and encoded on its way, and could not be where it is no UTF-8.

    def prf_hex(self, value: E, key: str) -> E:
        return call("dbmask_prf", self.utf8(value), key_ref(key, NAME))

    def prf_short_hex(self, value: E, key: str) -> E:
        return call("dbmask_prf_short", self.utf8(value), key_ref(key, NAME))

    def prf_word(self, value: E, key: str, index: int = 0) -> E:
        return call("dbmask_prf_word", self.utf8(value), key_ref(key, NAME), integer(index))

    def word(self, hex_digits: E, index: int) -> E:
        return call("dbmask_word", hex_digits, integer(index))

    def repeat(self, value: str, count: E) -> E:
        # A piece of a literal costs a fifth of a call into Python, which is left for what is longer.
        most = max(_REPEATED // max(len(value), 1), 1)
        width = exp.Paren(this=exp.Mul(this=exp.Paren(this=count.copy()), expression=integer(len(value))))
        piece = self.substr(text(value * most), 1, count.copy() if len(value) == 1 else width)
        short = exp.LTE(this=exp.Paren(this=count), expression=integer(most))
        return exp.Case(ifs=[exp.If(this=short, true=piece)], default=call("dbmask_repeat", text(value), count.copy()))

    def translate(self, value: E, source: str, target: str) -> E | None:
        return None

    def to_int(self, value: E) -> E:
        return cast(value, "INTEGER", self.name)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.Div(this=value, expression=integer(by) if isinstance(by, int) else by, typed=True))

    def choose(self, values: Sequence[str], index: E) -> E | None:
        path = exp.Paren(this=exp.DPipe(this=exp.DPipe(this=text("$["), expression=index), expression=text("]")))
        return call("JSON_EXTRACT", text(json_list(values)), path)

    def let(self, value: E, body: Callable[[E], E]) -> E | None:
        inner = exp.select(exp.alias_(value, "v")).subquery("t")
        return exp.select(body(exp.column("v", "t"))).from_(inner).subquery()

    def date_part(self, value: E, part: str) -> E:
        spec = {"year": "%Y", "month": "%m", "day": "%d"}[part]
        return cast(call("STRFTIME", text(spec), value), "INTEGER", self.name)

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        move = exp.Paren(this=exp.DPipe(this=days, expression=text(" days")))
        if kind is Kind.DATE:
            return call("DATE", value, move)
        return None


DIALECT = SQLite()
