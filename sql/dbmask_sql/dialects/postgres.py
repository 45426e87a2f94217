"""PostgreSQL: `convert_to` rather than a cast to bytea, which reads backslashes; `to_char`, since a cast follows DateStyle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from sqlglot import exp

from dbmask_sql.casing import LOWER, UPPER
from dbmask_sql.dialects.base import (
    Dialect,
    E,
    call,
    cast,
    cast_as_written,
    column,
    integer,
    json_list,
    separated,
    text,
)
from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import NUMBER
from dbmask_sql.patterns import SPACE, Portable

__all__ = ["DIALECT"]

_DIGESTS = {"sha224": "SHA224", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_BLOCK = 16
"""Times that a text is repeated at once where it is repeated often."""
_LONG = 64
"""Bytes of a text above which its length is better counted once, and what is as long made of blocks."""
_STAMP = 'YYYY-MM-DD"T"HH24:MI:SS.US'


class Postgres(Dialect):
    """PostgreSQL 14 and later."""

    name = "postgres"
    types: ClassVar[dict[Kind, str]] = {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "BIGINT",
        Kind.DECIMAL: "NUMERIC",
        Kind.FLOAT: "DOUBLE PRECISION",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.DATE: "DATE",
        Kind.TIME: "TIME",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
        Kind.UUID: "UUID",
        Kind.JSON: "JSONB",
    }

    def plain(self, value: E, padded: bool = False) -> E:
        # A cast to text takes char(n)'s padding off, and citext's own operators with it; "C" compares bytes, which in
        # UTF-8 is the order of code points, and works where a nondeterministic collation would raise.
        made = value if _is_plain(value) else cast(value, "TEXT", self.name)
        return made if made is value else exp.Collate(this=made, expression=exp.to_identifier("C", quoted=True))

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM):
            return self.plain(value)
        if kind in (Kind.UUID, Kind.INTEGER, Kind.BOOLEAN):
            return cast(value, "TEXT", self.name)
        if kind is Kind.DECIMAL:
            return cast(call("TRIM_SCALE", value), "TEXT", self.name)
        if kind is Kind.DATE:
            # JSON's dates are ISO 8601 whatever DateStyle says, infinite and far ones too; to_char goes by timestamp,
            # which does not reach as far.
            return exp.Paren(this=exp.JSONBExtractScalar(this=call("TO_JSONB", value), expression=text("{}")))
        if kind is Kind.TIME:
            return call("TO_CHAR", cast(value, "INTERVAL", self.name), text("HH24:MI:SS.US"))
        if kind is Kind.TIMESTAMP:
            return self._stamp(value, "")
        if kind is Kind.TIMESTAMPTZ:
            return self._stamp(call("TIMEZONE", text("UTC"), value), "Z")
        return None

    def _stamp(self, value: E, zone: str) -> E:
        """ISO 8601; to_char says nothing of infinite values, whose cast to text is the same under every DateStyle."""
        old = exp.LT(this=value.copy(), expression=cast(text("0001-01-01"), "TIMESTAMP", self.name))
        pattern = exp.Case(ifs=[exp.If(this=old, true=text(f"{_STAMP}{zone} BC"))], default=text(f"{_STAMP}{zone}"))
        return call("COALESCE", call("TO_CHAR", value, pattern), cast(value.copy(), "TEXT", self.name))

    def sha256_hex(self, data: E) -> E:
        return call("ENCODE", call("SHA256", data), text("hex"))

    def digest_hex(self, data: E, algo: str) -> E | None:
        if algo == "md5":
            return call("MD5", data)
        return call("ENCODE", call(_DIGESTS[algo], data), text("hex")) if algo in _DIGESTS else None

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

    def right(self, value: E, count: int) -> E:
        return call("RIGHT", value, integer(count))

    def is_digits(self, value: E, most: int) -> E:
        others = call("TRANSLATE", value, text("0123456789"), text(""))
        length = self.length(value.copy())
        return exp.Paren(
            this=exp.And(
                this=exp.EQ(this=others, expression=text("")),
                expression=exp.Between(this=length, low=integer(1), high=integer(most)),
            )
        )

    def drop_parts(self, value: E, count: int) -> E:
        parts = exp.Paren(this=call("STRING_TO_ARRAY", value, text(",")))
        rest = exp.Bracket(this=parts, expressions=[exp.Slice(this=integer(count + 1))])
        each = exp.select(call("BTRIM", column("p", "parts"), text(SPACE))).from_(_unnested(rest, "parts", "p"))
        return call("ARRAY_TO_STRING", call("ARRAY", each), text(", "))

    def contains(self, value: E, pattern: Portable) -> E:
        return exp.Paren(this=exp.RegexpLike(this=value, expression=text(pattern.written("$"))))

    def matches(self, value: E, pattern: str) -> E:
        return exp.Paren(this=exp.RegexpLike(this=value, expression=text(f"^(?:{pattern})$")))

    def change_case(self, value: E, upper: bool) -> E | None:
        # In the "C" collation upper() knows ASCII alone, and is quick. translate() tries its whole list for each
        # character, ten times slower than an object looked up for each.
        ascii_ = call("UPPER" if upper else "LOWER", value)
        pairs = dict(zip(LOWER, UPPER, strict=True)) if upper else dict(zip(UPPER, LOWER, strict=True))
        known = cast(text(json.dumps(pairs, ensure_ascii=False)), "JSONB", self.name)
        char = column("c", "chars")
        found = call("COALESCE", call("JSONB_OBJECT_FIELD_TEXT", known, char), char.copy())
        each = exp.select(found).from_(_unnested(call("STRING_TO_ARRAY", ascii_.copy(), exp.Null()), "chars", "c"))
        full = call("ARRAY_TO_STRING", call("ARRAY", each), text(""))
        plain = exp.EQ(this=call("OCTET_LENGTH", value.copy()), expression=self.length(value.copy()))
        there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        return exp.Case(ifs=[exp.If(this=plain, true=ascii_), exp.If(this=there, true=full)])

    def capitalize_words(self, value: E) -> E | None:
        word = exp.Collate(this=column("w", "words"), expression=exp.to_identifier("C", quoted=True))
        first = self.change_case(self.substr(word, 1, 1), upper=True)
        rest = self.change_case(self.substr(word.copy(), 2), upper=False)
        assert first is not None and rest is not None  # noqa: S101 - above
        made = exp.select(self.concat(first, rest)).from_(
            _unnested(call("STRING_TO_ARRAY", value, text(" ")), "words", "w")
        )
        joined = call("ARRAY_TO_STRING", call("ARRAY", made), text(" "))
        there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        return exp.Case(ifs=[exp.If(this=there, true=joined)])

    def exact(self, value: E, kind: Kind) -> E:
        if kind in (Kind.INTEGER, Kind.DECIMAL):
            return cast(value, "NUMERIC", self.name)
        # real as the driver's float of 8 bytes
        double = cast(cast(value, "DOUBLE PRECISION", self.name), "TEXT", self.name)
        digits = double if kind is Kind.FLOAT else value
        made = call("ROUND", cast(digits.copy(), "NUMERIC", self.name), integer(20))
        return exp.Case(ifs=[exp.If(this=self.matches(digits, NUMBER), true=made)])

    def wide(self, value: E, places: int) -> E | None:
        return cast(value, "NUMERIC", self.name)

    def as_type(self, value: E, type_sql: str, named: bool = False) -> E:
        if named:
            return cast_as_written(value, type_sql)
        return cast(value, type_sql, self.name) if type_sql else value

    def choose(self, values: Sequence[str], index: E) -> E | None:
        # A jsonb constant costs 0.08 us a row where subscripting text[] of 10,000 costs 10.
        constant = cast(text(json_list(values)), "JSONB", self.name)
        return call("JSONB_ARRAY_ELEMENT_TEXT", constant, cast(index, "INT", self.name))

    def one_of(self, value: E, values: Sequence[str]) -> E | None:
        made = separated(values) if len(values) <= self.max_literal_list else None
        if made is None or len(values) < 10:
            return super().one_of(value, values)
        # One literal, split, is one node where a list of literals is thousands; folded, it is looked up by hash.
        return exp.Paren(
            this=exp.EQ(this=value, expression=exp.Any(this=exp.Paren(this=call("STRING_TO_ARRAY", *map(text, made)))))
        )

    def is_empty(self, value: E) -> E:
        return exp.EQ(this=call("OCTET_LENGTH", value), expression=integer(0))  # characters would be counted one by one

    def repeat(self, value: str, count: E, among: E | None = None) -> E:
        """In blocks where it is long: REPEAT copies its text piece by piece, and a length is counted character by character."""
        plain_repeat = super().repeat
        plain = plain_repeat(value, count)
        if among is None:
            return plain

        def blocks(times: E) -> E:
            whole = plain_repeat(value * _BLOCK, self.int_div(times, _BLOCK))
            return self.concat(whole, plain_repeat(value, self.mod(times.copy(), _BLOCK)))

        name = self.fresh("n", count)
        long = exp.GT(this=call("OCTET_LENGTH", among.copy()), expression=integer(_LONG))
        return exp.Case(ifs=[exp.If(this=long, true=self.let(count.copy(), blocks, name))], default=plain)

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        # OFFSET 0 keeps the planner from copying the values into each place where the body uses them.
        table = f"dbmask_let_{'_'.join(values)}"
        inner = exp.select(*(exp.alias_(v, n, quoted=True) for n, v in values.items())).offset(0).subquery(table)
        return exp.select(body({n: column(n, table) for n in values})).from_(inner).subquery()

    def date_floor(self, value: E, part: str, kind: Kind) -> E | None:
        if kind is Kind.TIMESTAMP:
            return call("DATE_TRUNC", text(part), value)
        if kind is Kind.TIMESTAMPTZ:
            return call("DATE_TRUNC", text(part), value, text("UTC"))
        if part == "day":
            return value
        month = self.date_part(value.copy(), "month") if part == "month" else integer(1)
        made = call("MAKE_DATE", self.date_part(value, "year"), month, integer(1))
        return exp.Case(ifs=[exp.If(this=call("ISFINITE", value.copy()), true=made)], default=value.copy())

    def endless(self, value: E) -> E | None:
        return exp.Not(this=call("ISFINITE", value))

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        if kind is Kind.DATE:
            return exp.Paren(this=exp.Add(this=value, expression=cast(days, "INT", self.name)))
        # A day of 24 hours where the zone counts: calendar days would follow the session's time zone.
        unit = {Kind.TIMESTAMP: "1 day", Kind.TIMESTAMPTZ: "24 hours"}.get(kind)
        if unit is None:
            return None
        moved = exp.Mul(this=cast(days, "INT", self.name), expression=exp.Interval(this=text(unit)))
        return exp.Paren(this=exp.Add(this=value, expression=moved))

    def date_part(self, value: E, part: str) -> E:
        return cast(super().date_part(value, part), "INT", self.name)


def _unnested(array: E, table: str, name: str) -> exp.Unnest:
    alias = exp.TableAlias(this=exp.to_identifier(table, quoted=True), columns=[exp.to_identifier(name, quoted=True)])
    return exp.Unnest(expressions=[array], alias=alias)


def _is_plain(value: E) -> bool:
    return isinstance(value, exp.Collate)


def _drop_hex_round_trip(node: E) -> E:
    if isinstance(node, exp.Anonymous) and node.this == "DECODE":
        inner = node.expressions[0]
        if isinstance(inner, exp.Anonymous) and inner.this == "ENCODE":
            made: E = inner.expressions[0]
            return made
    return node


DIALECT = Postgres()
