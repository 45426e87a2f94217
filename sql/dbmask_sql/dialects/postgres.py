"""PostgreSQL: `convert_to` rather than a cast to bytea, which reads backslashes; `to_char`, since a cast follows DateStyle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, column, integer, json_list, text
from dbmask_sql.kinds import Kind

__all__ = ["DIALECT"]


class Postgres(Dialect):
    """PostgreSQL 12 and later."""

    name = "postgres"

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM, Kind.UUID, Kind.INTEGER):
            return cast(value, "TEXT", self.name)
        if kind is Kind.BOOLEAN:
            return exp.Case(
                ifs=[
                    exp.If(this=value, true=text("true")),
                    exp.If(this=exp.Not(this=value.copy()), true=text("false")),
                ]
            )
        if kind is Kind.DECIMAL:
            return cast(call("TRIM_SCALE", value), "TEXT", self.name)
        if kind is Kind.DATE:
            return call("TO_CHAR", value, text("YYYY-MM-DD"))
        if kind is Kind.TIMESTAMP:
            return call("TO_CHAR", value, text('YYYY-MM-DD"T"HH24:MI:SS.US'))
        if kind is Kind.TIMESTAMPTZ:
            return call("TO_CHAR", call("TIMEZONE", text("UTC"), value), text('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        return None

    def sha256_hex(self, data: E) -> E:
        return call("ENCODE", call("SHA256", data), text("hex"))

    def from_hex(self, digits: E) -> E:
        return call("DECODE", digits, text("hex"))

    def prf_hex(self, value: E, key: str) -> E:
        # The inner digest is bytes already: no round trip through hex.
        made = super().prf_hex(value, key)
        return made.transform(_drop_hex_round_trip)

    def utf8(self, value: E) -> E:
        return call("CONVERT_TO", value, text("UTF8"))

    def hex_int(self, digits: E) -> E:
        bits = cast(exp.Paren(this=exp.DPipe(this=text("x"), expression=digits)), "BIT(60)", self.name)
        return cast(bits, "BIGINT", self.name)

    def as_type(self, value: E, type_sql: str) -> E:
        return cast(value, type_sql, self.name) if type_sql else value

    def choose(self, values: Sequence[str], index: E) -> E | None:
        # A jsonb constant costs 0.08 us a row where subscripting text[] of 10,000 costs 10.
        constant = cast(text(json_list(values)), "JSONB", self.name)
        return call("JSONB_ARRAY_ELEMENT_TEXT", constant, cast(index, "INT", self.name))

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        # OFFSET 0 keeps the planner from copying the values into each place where the body uses them.
        table = f"dbmask_let_{'_'.join(values)}"
        inner = exp.select(*(exp.alias_(v, n, quoted=True) for n, v in values.items())).offset(0).subquery(table)
        return exp.select(body({n: column(n, table) for n in values})).from_(inner).subquery()

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        if kind is Kind.DATE:
            return exp.Paren(this=exp.Add(this=value, expression=cast(days, "INT", self.name)))
        if kind is Kind.TIMESTAMP:
            day = exp.Interval(this=text("1 day"))
            return exp.Paren(
                this=exp.Add(this=value, expression=exp.Mul(this=cast(days, "INT", self.name), expression=day))
            )
        if kind is Kind.TIMESTAMPTZ:
            # A day of 24 hours: calendar days would follow the session's time zone.
            hours = exp.Interval(this=text("24 hours"))
            return exp.Paren(
                this=exp.Add(this=value, expression=exp.Mul(this=cast(days, "INT", self.name), expression=hours))
            )
        return None

    def date_part(self, value: E, part: str) -> E:
        return cast(super().date_part(value, part), "INT", self.name)

    def exact(self, value: E, places: int) -> E | None:
        return cast(value, "NUMERIC", self.name)

    def quotient(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.Div(this=value, expression=integer(by) if isinstance(by, int) else by, typed=True))

    def int_div(self, value: E, by: E | int) -> E:
        return call("DIV", cast(value, "NUMERIC", self.name), integer(by) if isinstance(by, int) else by)


def _drop_hex_round_trip(node: E) -> E:
    if isinstance(node, exp.Anonymous) and node.this == "DECODE":
        inner = node.expressions[0]
        if isinstance(inner, exp.Anonymous) and inner.this == "ENCODE":
            made: E = inner.expressions[0]
            return made
    return node


DIALECT = Postgres()
