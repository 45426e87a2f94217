"""MariaDB and MySQL. ``||`` is OR here, casts to CHAR take the session's character set, and comparisons ignore trailing spaces.

The connector's sessions run in UTC, in utf8mb4, and without NO_BACKSLASH_ESCAPES, ANSI_QUOTES and PAD_CHAR_TO_FULL_LENGTH.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, as_integer, call, cast, integer, text
from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import NUMBER
from dbmask_sql.patterns import SPACE, Portable

__all__ = ["DIALECT"]

_DIGESTS = {"sha224": 224, "sha256": 256, "sha384": 384, "sha512": 512}


class MySQL(Dialect):
    """MariaDB 10.11 and MySQL 8."""

    name = "mysql"
    max_literal_list = 100_000
    types: ClassVar[dict[Kind, str]] = {
        Kind.INTEGER: "SIGNED",
        Kind.DECIMAL: "DECIMAL(65,20)",
        Kind.FLOAT: "DOUBLE",
        Kind.DATE: "DATE",
        Kind.TIME: "TIME(6)",
        Kind.TIMESTAMP: "DATETIME(6)",
        Kind.TIMESTAMPTZ: "DATETIME(6)",  # the session's time zone is UTC
    }
    utc_suffix = ""

    def plain(self, value: E, padded: bool = False) -> E:
        if _is_plain(value):
            return value
        # latin1 and its like meet literals in one character set; utf8mb4_bin tells apart what other collations fold.
        made = exp.Cast(this=value, to=exp.DataType(this=exp.DType.CHARACTER_SET, kind=exp.Var(this="utf8mb4")))
        binary = exp.Collate(this=made, expression=exp.Var(this="utf8mb4_bin"))
        return call("RTRIM", binary) if padded else binary

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM):
            return self.plain(value, padded)
        if kind is Kind.INTEGER:
            return self.to_text(value)
        if kind is Kind.UUID:
            return call("LOWER", self.to_text(value))
        if kind is Kind.DECIMAL:
            return self._decimal(value)
        if kind is Kind.BOOLEAN:
            yes, no = exp.If(this=value, true=text("true")), exp.If(this=exp.Not(this=value.copy()), true=text("false"))
            return exp.Case(ifs=[yes, no])
        if kind is Kind.DATE:
            return self._format(value, "%Y-%m-%d")
        if kind is Kind.TIMESTAMP:
            return self._format(value, "%Y-%m-%dT%H:%i:%S.%f")
        if kind is Kind.TIMESTAMPTZ:  # TIMESTAMP columns
            return self._format(value, "%Y-%m-%dT%H:%i:%S.%fZ")
        return None

    def _decimal(self, value: E) -> E:
        digits = self.to_text(value)
        zeros = exp.Trim(this=digits.copy(), expression=text("0"), position="TRAILING")
        trimmed = exp.Trim(this=zeros, expression=text("."), position="TRAILING")
        whole = exp.EQ(this=self.find(digits.copy(), "."), expression=integer(0))
        zero = exp.EQ(this=value.copy(), expression=integer(0))
        return exp.Case(ifs=[exp.If(this=zero, true=text("0")), exp.If(this=whole, true=digits)], default=trimmed)

    def _format(self, value: E, pattern: str) -> E:
        return call("DATE_FORMAT", value, text(pattern))

    def sha256_hex(self, data: E) -> E:
        return call("SHA2", data, integer(256))

    def digest_hex(self, data: E, algo: str) -> E | None:
        if algo in ("md5", "sha1"):
            return call(algo.upper(), data)
        return call("SHA2", data, integer(_DIGESTS[algo])) if algo in _DIGESTS else None

    def from_hex(self, digits: E) -> E:
        return call("UNHEX", digits)

    def utf8(self, value: E) -> E:
        return exp.Cast(this=self.plain(value), to=exp.DataType.build("BINARY", dialect="mysql"))

    def join_bytes(self, *parts: E) -> E:
        return call("CONCAT", *parts)

    def is_empty(self, value: E) -> E:
        return exp.EQ(this=call("OCTET_LENGTH", value), expression=integer(0))  # characters would be counted one by one

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

    def find(self, value: E, part: str) -> E:
        return call("LOCATE", text(part), value)

    def translate(self, value: E, source: str, target: str) -> E | None:
        return None

    def compare(self, node: type[E], value: E, other: E) -> E:
        # Even utf8mb4_bin ignores trailing spaces; bytes do not.
        return super().compare(node, self.utf8(value), self.utf8(other))

    def drop_parts(self, value: E, count: int) -> E:
        # A comma on either side, so that the same replacement trims the ends too; what it leaves there is taken off.
        rest = self.regex_replace(self.concat(value, text(",")), f"^(?:[^,]*,){{{count - 1}}}[^,]*", "")
        joined = self.regex_replace(rest, f"[{SPACE}]*,[{SPACE}]*", ", ")
        return self.regex_replace(self.substr(joined, 3), ", \\z", "")

    def find_in(self, whole: str, part: E) -> E:
        return call("LOCATE", part, text(whole))

    def uuid8(self, digits: E) -> E:
        # Values cannot be named here; INSERT names the digits once for all pieces, and once more for the variant.
        made = call("INSERT", digits, integer(21), integer(0), text("-"))
        variant = self._variant(self.substr(digits.copy(), 17, 1))
        for start, length, new in ((17, 1, variant), (17, 0, text("-")), (13, 1, text("-8")), (9, 0, text("-"))):
            made = call("INSERT", made, integer(start), integer(length), new)
        return self.substr(made, 1, 36)

    def contains(self, value: E, pattern: Portable) -> E:
        return exp.GT(this=call("REGEXP_INSTR", value, text(pattern.written("\\z"))), expression=integer(0))

    def matches(self, value: E, pattern: str) -> E:
        # REGEXP_LIKE is MySQL's alone; both know REGEXP_INSTR.
        where = call("REGEXP_INSTR", value, text(f"^(?:{pattern})\\z"))
        return exp.GT(this=where, expression=integer(0))

    def regex_replace(self, value: E, pattern: str, new: str) -> E:
        return call("REGEXP_REPLACE", value, text(pattern), text(new))

    def exact(self, value: E, kind: Kind) -> E:
        if kind in (Kind.INTEGER, Kind.DECIMAL):
            return value
        digits = self.to_text(value) if kind is Kind.FLOAT else value
        made = cast(digits.copy(), "DECIMAL(65,20)", self.name)
        return exp.Case(ifs=[exp.If(this=self.matches(digits, NUMBER), true=made)])

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.IntDiv(this=value, expression=as_integer(by)))

    def choose(self, values: Sequence[str], index: E) -> E | None:
        if len(values) > self.max_literal_list:
            return None
        return call("ELT", exp.Add(this=index, expression=integer(1)), *(text(v) for v in values))

    # No LATERAL: a derived table cannot see the row.
    names_values = False

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        return None

    def one_of(self, value: E, values: Sequence[str]) -> E | None:
        return super().one_of(self.utf8(value), values)

    def date_floor(self, value: E, part: str, kind: Kind) -> E | None:
        pattern = {"year": "%Y-01-01", "month": "%Y-%m-01", "day": "%Y-%m-%d"}[part]
        zeros = exp.EQ(
            this=exp.Mul(this=call("YEAR", value), expression=call("MONTH", value.copy())), expression=integer(0)
        )
        made = self.typed(self._format(value.copy(), pattern), Kind.DATE if kind is Kind.DATE else Kind.TIMESTAMP)
        return exp.Case(ifs=[exp.If(this=zeros, true=value.copy())], default=made)

    def endless(self, value: E) -> E | None:
        return exp.EQ(this=self._format(value, "%Y-%m-%d"), expression=text("0000-00-00"))

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        return exp.DateAdd(this=value, expression=days, unit=exp.Var(this="DAY"))


def _is_plain(value: E) -> bool:
    if isinstance(value, exp.Anonymous) and value.this == "RTRIM":
        return isinstance(value.expressions[0], exp.Collate)
    return isinstance(value, exp.Collate)


DIALECT = MySQL()
