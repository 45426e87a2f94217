"""DuckDB: near PostgreSQL, with hashes that return hex and lists that are cheap to index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, call, cast, integer, text
from dbmask_sql.keyref import is_key_ref
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

    def exact(self, value: E, places: int) -> E | None:
        return cast(value, f"DECIMAL(38,{places})", self.name)

    def as_type(self, value: E, type_sql: str) -> E:
        return cast(value, type_sql, self.name) if type_sql else value

    def choose(self, values: Sequence[str], index: E) -> E | None:
        items = exp.Array(expressions=[text(v) for v in values])
        return call("LIST_EXTRACT", items, exp.Add(this=index, expression=integer(1)))

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        # A lambda over a one-element list: computed once, with no subquery to decorrelate.
        bound = exp.to_identifier(f"dbmask_{'_'.join(values)}")
        made, keys = _keys_apart(body({n: _field(bound, n) for n in values}), bound)
        lambda_ = exp.Lambda(this=made, expressions=[bound])
        return call(
            "LIST_EXTRACT", call("LIST_TRANSFORM", call("LIST_VALUE", _struct({**values, **keys})), lambda_), integer(1)
        )

    def repeated(self, start: E, times: int, body: Callable[[E, E], E], name: str = "r") -> E | None:
        # Nested lambdas double the time to bind with each level; a reduction has one.
        bound, turn = exp.to_identifier(f"dbmask_{name}"), exp.to_identifier(f"dbmask_{name}_i")
        made, keys = _keys_apart(body(_field(bound, "v"), exp.column(turn.copy())), bound)
        state = _struct({"v": made, **{n: _field(bound, n) for n in keys}})
        lambda_ = exp.Lambda(this=state, expressions=[bound, turn])
        turns = call("LIST_VALUE", *(cast(integer(i), "BIGINT", self.name) for i in range(times)))
        return call("STRUCT_EXTRACT", call("LIST_REDUCE", turns, lambda_, _struct({"v": start, **keys})), text("v"))

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        if kind is Kind.DATE:
            return exp.Paren(this=exp.Add(this=value, expression=cast(days, "INT", self.name)))
        hours = exp.Paren(this=exp.Mul(this=days, expression=integer(24)))
        return exp.Paren(this=exp.Add(this=value, expression=call("TO_HOURS", hours)))


def _field(struct: E, name: str) -> E:
    return call("STRUCT_EXTRACT", exp.column(struct.copy()), text(name))


def _struct(fields: Mapping[str, E]) -> E:
    return exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier(n), expression=e) for n, e in fields.items()])


def _keys_apart(body: E, bound: E) -> tuple[E, dict[str, E]]:
    """A lambda's body with its keys read from fields of ``bound``, and those fields: a lambda may hold no subquery."""
    keys: dict[str, tuple[str, E]] = {}

    def handed_in(node: E) -> E:
        if not is_key_ref(node):
            return node
        field, _ = keys.setdefault(node.sql(), (f"k{len(keys)}", node.copy()))
        return _field(bound, field)

    made = body.transform(handed_in)
    return made, dict(keys.values())


DIALECT = DuckDB()
