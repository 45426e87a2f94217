"""DuckDB: near PostgreSQL, with hashes that return hex and lists that are cheap to index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from sqlglot import exp

from dbmask_sql.casing import AGREED, LOWER, UPPER
from dbmask_sql.dialects.base import (
    Dialect,
    E,
    as_integer,
    call,
    cast,
    cast_as_written,
    integer,
    number,
    separated,
    text,
)
from dbmask_sql.keyref import is_key_ref
from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import NUMBER
from dbmask_sql.patterns import SPACE, Portable

__all__ = ["DIALECT"]

_EXACT = "DECIMAL(38,20)"
_NEAR = 3
_LOOSE = f"[{SPACE}],|,[{SPACE}]|[{SPACE}]\\z"
"""White space that stands at the end of a part or, behind a comma, at its beginning."""


class DuckDB(Dialect):
    """DuckDB 1.3 and later (``lambda x: ...``)."""

    name = "duckdb"
    types: ClassVar[dict[Kind, str]] = {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "BIGINT",
        Kind.DECIMAL: _EXACT,
        Kind.FLOAT: "DOUBLE",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.DATE: "DATE",
        Kind.TIME: "TIME",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
        Kind.UUID: "UUID",
    }

    def plain(self, value: E, padded: bool = False) -> E:
        if isinstance(value, exp.Collate):
            return value
        made = cast(value, "TEXT", self.name)
        trimmed = call("RTRIM", made, text(" ")) if padded else made
        return exp.Collate(this=trimmed, expression=exp.Var(this="C"))

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM):
            return self.plain(value, padded)
        if kind in (Kind.UUID, Kind.INTEGER, Kind.BOOLEAN):
            return cast(value, "TEXT", self.name)
        if kind is Kind.FLOAT:  # the shortest text, as Python writes it; of FLOAT's 4 bytes as of the driver's 8
            zero = exp.EQ(this=value, expression=integer(0))
            made = cast(cast(value.copy(), "DOUBLE", self.name), "TEXT", self.name)
            return exp.Case(ifs=[exp.If(this=zero, true=text("0.0"))], default=made)
        if kind is Kind.DECIMAL:
            digits = cast(value, "TEXT", self.name)
            trimmed = call("RTRIM", call("RTRIM", digits.copy(), text("0")), text("."))
            whole = exp.EQ(this=self.find(digits.copy(), "."), expression=integer(0))
            return exp.Case(ifs=[exp.If(this=whole, true=digits)], default=trimmed)
        if kind is Kind.DATE:
            return self._date(value)
        if kind is Kind.TIMESTAMP:
            return self._stamp(value, "")
        if kind is Kind.TIMESTAMPTZ:
            # Through microseconds since 1970, which are free of the session's time zone; infinite values have none.
            utc = self._stamp(call("MAKE_TIMESTAMP", call("EPOCH_US", value)), "Z")
            return call("COALESCE", utc, cast(value.copy(), "TEXT", self.name))
        return None

    def _date(self, value: E) -> E:
        return self.replace(cast(value, "TEXT", self.name), text("(BC)"), text("BC"))

    def _stamp(self, value: E, zone: str) -> E:
        """ISO 8601; before year 1 the year is counted back from it, and " BC" stands at the end."""
        clock = f"T%H:%M:%S.%f{zone}"
        old = exp.LT(this=value.copy(), expression=cast(text("0001-01-01"), "TIMESTAMP", self.name))
        day = self.substr(self._date(cast(value.copy(), "DATE", self.name)), 1, 10)
        back = self.concat(day, call("STRFTIME", value.copy(), text(clock)), text(" BC"))
        finite = exp.Not(this=call("ISINF", value.copy()))
        ifs = [exp.If(this=exp.And(this=old, expression=finite), true=back)]
        return exp.Case(ifs=ifs, default=call("STRFTIME", value, text(f"%Y-%m-%d{clock}")))

    def sha256_hex(self, data: E) -> E:
        return call("SHA256", data)

    def digest_hex(self, data: E, algo: str) -> E | None:
        return call(algo.upper(), data) if algo in ("md5", "sha1", "sha256") else None

    def from_hex(self, digits: E) -> E:
        return call("UNHEX", digits)

    def utf8(self, value: E) -> E:
        return call("ENCODE", value)

    def hex_int(self, digits: E) -> E:
        return cast(exp.Paren(this=exp.DPipe(this=text("0x"), expression=digits)), "BIGINT", self.name)

    def right(self, value: E, count: int) -> E:
        return call("SUBSTR", value, exp.Neg(this=integer(count))) if count else text("")

    def drop_parts(self, value: E, count: int) -> E:
        if count > _NEAR:
            return self._parts_dropped(value, count)
        # Where no white space is to be cut off, the text behind a comma is several times quicker than a list of parts.
        rest = value.copy()
        for _ in range(count):
            after = exp.Add(this=call("INSTR", rest.copy(), text(",")), expression=integer(1))
            rest = call("SUBSTR", rest, after)
        bare = call("LENGTH", self.replace(value.copy(), text(","), text("")))
        commas = exp.Paren(this=exp.Sub(this=call("LENGTH", value.copy()), expression=bare))
        enough = exp.GTE(this=commas, expression=integer(count))
        plain = exp.And(this=exp.Not(this=call("REGEXP_MATCHES", value.copy(), text(_LOOSE))), expression=enough)
        quick = self.replace(rest, text(","), text(", "))
        return exp.Case(ifs=[exp.If(this=plain, true=quick)], default=self._parts_dropped(value, count))

    def _parts_dropped(self, value: E, count: int) -> E:
        part = exp.column(exp.to_identifier("dbmask_p"))
        each = exp.Lambda(this=call("TRIM", part, text(SPACE)), expressions=[exp.to_identifier("dbmask_p")])
        rest = call("LIST_SLICE", call("STRING_SPLIT", value, text(",")), integer(count + 1), integer(2**31 - 1))
        return call("ARRAY_TO_STRING", call("LIST_TRANSFORM", rest, each), text(", "))

    def contains(self, value: E, pattern: Portable) -> E:
        return call("REGEXP_MATCHES", value, text(pattern.written("\\z")))

    def matches(self, value: E, pattern: str) -> E:
        return call("REGEXP_FULL_MATCH", value, text(pattern))

    def change_case(self, value: E, upper: bool) -> E | None:
        pairs = (LOWER, UPPER) if upper else (UPPER, LOWER)
        # upper() agrees with the table on most letters; TRANSLATE() reads its whole table for each row.
        plain = self.matches(value, AGREED)
        letters = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        first, second = letters if upper else letters[::-1]
        full = call("TRANSLATE", value.copy(), text(first + pairs[0]), text(second + pairs[1]))
        return exp.Case(ifs=[exp.If(this=plain, true=call("UPPER" if upper else "LOWER", value.copy()))], default=full)

    def capitalize_words(self, value: E) -> E | None:
        word = exp.column(exp.to_identifier("dbmask_w"))
        first = self.change_case(self.substr(word, 1, 1), upper=True)
        rest = self.change_case(self.substr(word.copy(), 2), upper=False)
        assert first is not None and rest is not None  # noqa: S101 - above
        each = exp.Lambda(this=self.concat(first, rest), expressions=[exp.to_identifier("dbmask_w")])
        return call("ARRAY_TO_STRING", call("LIST_TRANSFORM", call("STRING_SPLIT", value, text(" ")), each), text(" "))

    def exact(self, value: E, kind: Kind) -> E:
        if kind is Kind.INTEGER:
            return cast(value, "DECIMAL(38,0)", self.name)
        if kind is Kind.DECIMAL:
            return value
        double = cast(cast(value, "DOUBLE", self.name), "TEXT", self.name)
        digits = double if kind is Kind.FLOAT else value
        made = exp.TryCast(this=digits.copy(), to=exp.DataType.build(_EXACT, dialect=self.name), requires_string=True)
        return exp.Case(ifs=[exp.If(this=self.matches(digits, NUMBER), true=made)])

    def exact_literal(self, value: Decimal) -> E:
        places = max(0, -int(value.as_tuple().exponent))
        return cast(number(value), f"DECIMAL({18 + places},{places})", self.name)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.IntDiv(this=value, expression=as_integer(by)))

    def wide(self, value: E, places: int) -> E | None:
        return cast(value, f"DECIMAL(38,{places})", self.name)

    def as_type(self, value: E, type_sql: str, named: bool = False) -> E:
        if named:
            return cast_as_written(value, type_sql)
        return cast(value, type_sql, self.name) if type_sql else value

    def choose(self, values: Sequence[str], index: E) -> E | None:
        return call("LIST_EXTRACT", _texts(values), exp.Add(this=index, expression=integer(1)))

    def one_of(self, value: E, values: Sequence[str]) -> E | None:
        if not values or len(values) > self.max_literal_list:
            return None
        return call("LIST_CONTAINS", _texts(values), value)

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

    def date_floor(self, value: E, part: str, kind: Kind) -> E | None:
        if kind is not Kind.TIMESTAMPTZ:
            return self.typed(call("DATE_TRUNC", text(part), value), kind)
        # Truncation goes by the session's time zone, microseconds do not; infinite values have none, and stay.
        since = call("EPOCH_US", value)
        start = call("EPOCH_US", call("DATE_TRUNC", text(part), call("MAKE_TIMESTAMP", since)))
        back = call("TO_MICROSECONDS", exp.Paren(this=exp.Sub(this=start, expression=since.copy())))
        return call("COALESCE", exp.Paren(this=exp.Add(this=value.copy(), expression=back)), value.copy())

    def endless(self, value: E) -> E | None:
        return call("ISINF", value)

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        if kind is Kind.DATE:
            return exp.Paren(this=exp.Add(this=value, expression=cast(days, "INT", self.name)))
        hours = exp.Paren(this=exp.Mul(this=days, expression=integer(24)))
        return exp.Paren(this=exp.Add(this=value, expression=call("TO_HOURS", hours)))


def _texts(values: Sequence[str]) -> E:
    """A list of texts. One literal, split, is one node where a list of literals is thousands, and is folded all the same."""
    made = separated(values)
    return exp.Array(expressions=[text(v) for v in values]) if made is None else call("STRING_SPLIT", *map(text, made))


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
