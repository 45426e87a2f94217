"""DuckDB: near PostgreSQL, with hashes that return hex and lists that are cheap to index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, integer, text
from dbmask_sql.kinds import Kind

__all__ = ["DIALECT"]


class DuckDB(Dialect):
    """DuckDB 1.1 and later."""

    name = "duckdb"

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM, Kind.UUID, Kind.INTEGER, Kind.BOOLEAN):
            return cast(value, "TEXT", self.name)
        if kind is Kind.DECIMAL:
            digits = cast(value, "TEXT", self.name)
            trimmed = call("RTRIM", call("RTRIM", digits.copy(), text("0")), text("."))
            whole = exp.EQ(this=call("STRPOS", digits.copy(), text(".")), expression=integer(0))
            return exp.Case(ifs=[exp.If(this=whole, true=digits)], default=trimmed)
        if kind is Kind.DATE:
            return call("STRFTIME", value, text("%Y-%m-%d"))
        if kind is Kind.TIMESTAMP:
            return call("STRFTIME", value, text("%Y-%m-%dT%H:%M:%S.%f"))
        if kind is Kind.TIMESTAMPTZ:
            # The cast of a TIMESTAMPTZ to epoch and back is free of the session's time zone.
            utc = call("MAKE_TIMESTAMP", call("EPOCH_US", value))
            return call("STRFTIME", utc, text("%Y-%m-%dT%H:%M:%S.%fZ"))
        return None

    def sha256_hex(self, data: E) -> E:
        return call("SHA256", data)

    def from_hex(self, digits: E) -> E:
        return call("UNHEX", digits)

    def utf8(self, value: E) -> E:
        return call("ENCODE", value)

    def hex_int(self, digits: E) -> E:
        return cast(exp.Paren(this=exp.DPipe(this=text("0x"), expression=digits)), "BIGINT", self.name)

    def replace(self, value: E, old: E, new: E) -> E:
        return call("REPLACE", value, old, new)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.IntDiv(this=value, expression=integer(by) if isinstance(by, int) else by))

    def as_type(self, value: E, type_sql: str) -> E:
        return cast(value, type_sql, self.name) if type_sql else value

    def choose(self, values: Sequence[str], index: E) -> E | None:
        items = exp.Array(expressions=[text(v) for v in values])
        return call("LIST_EXTRACT", items, exp.Add(this=index, expression=integer(1)))

    def let(self, value: E, body: Callable[[E], E]) -> E | None:
        # A lambda over a one-element list: computed once, with no subquery to decorrelate.
        name = exp.to_identifier("dbmask_v")
        lambda_ = exp.Lambda(this=body(exp.column(name.copy())), expressions=[name])
        made = call("LIST_TRANSFORM", call("LIST_VALUE", value), lambda_)
        return call("LIST_EXTRACT", made, integer(1))

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        if kind is Kind.DATE:
            return exp.Paren(this=exp.Add(this=value, expression=cast(days, "INT", self.name)))
        hours = exp.Paren(this=exp.Mul(this=days, expression=integer(24)))
        return exp.Paren(this=exp.Add(this=value, expression=call("TO_HOURS", hours)))


DIALECT = DuckDB()
