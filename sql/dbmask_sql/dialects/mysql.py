"""MariaDB and MySQL. ``||`` is OR here, casts to CHAR take the session's character set, and comparisons ignore trailing spaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, integer, text
from dbmask_sql.kinds import Kind

__all__ = ["DIALECT"]


class MySQL(Dialect):
    """MariaDB 10.11 and MySQL 8."""

    name = "mysql"
    max_literal_list = 2_000

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM):
            return self._utf8mb4(value)
        if kind is Kind.INTEGER:
            return self.to_text(value)
        if kind is Kind.BOOLEAN:
            return exp.Case(
                ifs=[
                    exp.If(this=value, true=text("true")),
                    exp.If(this=exp.Not(this=value.copy()), true=text("false")),
                ]
            )
        if kind is Kind.DATE:
            return self._format(value, "%Y-%m-%d")
        if kind is Kind.TIMESTAMP:
            return self._format(value, "%Y-%m-%dT%H:%i:%S.%f")
        if kind is Kind.TIMESTAMPTZ:  # TIMESTAMP columns; the connector's sessions run in UTC
            return self._format(value, "%Y-%m-%dT%H:%i:%S.%fZ")
        return None

    def _utf8mb4(self, value: E) -> E:
        return exp.Cast(this=value, to=exp.DataType(this=exp.DType.CHARACTER_SET, kind=exp.Var(this="utf8mb4")))

    def _format(self, value: E, pattern: str) -> E:
        return call("DATE_FORMAT", value, text(pattern))

    def sha256_hex(self, data: E) -> E:
        return call("SHA2", data, integer(256))

    def from_hex(self, digits: E) -> E:
        return call("UNHEX", digits)

    def utf8(self, value: E) -> E:
        return exp.Cast(this=self._utf8mb4(value), to=exp.DataType.build("BINARY", dialect="mysql"))

    def join_bytes(self, *parts: E) -> E:
        return call("CONCAT", *parts)

    def concat(self, *parts: E) -> E:
        return call("CONCAT", *parts)

    def hex_int(self, digits: E) -> E:
        return self.to_int(call("CONV", digits, integer(16), integer(10)))

    def to_int(self, value: E) -> E:
        return cast(value, "SIGNED", self.name)

    def to_text(self, value: E) -> E:
        return cast(value, "CHAR", self.name)

    def length(self, value: E) -> E:
        return call("CHAR_LENGTH", value)

    def translate(self, value: E, source: str, target: str) -> E | None:
        return None

    def equals(self, value: E, literal: E) -> E:
        return exp.EQ(this=self.utf8(value), expression=self.utf8(literal))

    def one_of(self, value: E, values: Sequence[str]) -> E | None:
        return super().one_of(self.utf8(value), values)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.IntDiv(this=value, expression=integer(by) if isinstance(by, int) else by))

    def choose(self, values: Sequence[str], index: E) -> E | None:
        if len(values) > self.max_literal_list:
            return None
        return call("ELT", exp.Add(this=index, expression=integer(1)), *(text(v) for v in values))

    # No LATERAL: a derived table cannot see the row.
    names_values = False

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        return None

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        return exp.DateAdd(this=value, expression=days, unit=exp.Var(this="DAY"))


DIALECT = MySQL()
