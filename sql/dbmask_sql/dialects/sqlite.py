"""SQLite. It has neither SHA-256 nor typed columns: the connector registers the functions named in FUNCTIONS, which hold the keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from dbmask_sql.dialects.base import Dialect, E, as_integer, call, cast, column, integer, json_list, text
from dbmask_sql.keyref import NAME, key_ref
from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import plain_number
from dbmask_sql.patterns import Portable

__all__ = ["DIALECT", "FUNCTIONS"]

FUNCTIONS = {
    "dbmask_digest": 2,
    "dbmask_digest_word": 1,
    "dbmask_prf": 2,
    "dbmask_prf_short": 2,
    "dbmask_word": 2,
    "dbmask_prf_word": 3,
    "dbmask_canonical": 2,
    "dbmask_repeat": 2,
    "dbmask_matches": 2,
    "dbmask_contains": 2,
    "dbmask_drop_parts": 2,
    "dbmask_replace_all": 3,
    "dbmask_exact": 1,
    "dbmask_floor_to": 2,
    "dbmask_add": 2,
    "dbmask_compare": 2,
    "dbmask_case": 2,
    "dbmask_date_floor": 2,
    "dbmask_add_days": 2,
}
"""Functions that a connection must offer, with their number of arguments."""

_CHUNK = 64
_REPEATED = 256
_EXACT_FLOATS = 10**15


class SQLite(Dialect):
    """SQLite 3.37 and later, with dbmask's functions registered. Exact numbers are texts here."""

    name = "sqlite"
    greatest = "MAX"
    least = "MIN"

    def plain(self, value: E, padded: bool = False) -> E:
        if isinstance(value, exp.Collate):
            return value
        made = cast(value, "TEXT", self.name)
        return exp.Collate(this=call("RTRIM", made, text(" ")) if padded else made, expression=exp.Var(this="BINARY"))

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        if kind in (Kind.TEXT, Kind.ENUM):
            return self.plain(value, padded)
        made = call("dbmask_canonical", value, text(kind.value))
        # What is written in the ordinary way already costs no call into Python.
        if kind in (Kind.INTEGER, Kind.DECIMAL):
            return _when(_is_integer(value), cast(value.copy(), "TEXT", self.name), made)
        if kind is Kind.BOOLEAN:
            zero = exp.EQ(this=value.copy(), expression=integer(0))
            return _when(_is_integer(value), _when(zero, text("false"), text("true")), made)
        if kind is Kind.DATE:
            return _when(_is_plain("DATE", value), value.copy(), made)
        if kind is Kind.TIMESTAMP:
            shown = self.concat(call("REPLACE", value.copy(), text(" "), text("T")), text(".000000"))
            return _when(_is_plain("DATETIME", value), shown, made)
        return made

    def sha256_hex(self, data: E) -> E:
        return call("dbmask_digest", data, text("sha256"))

    def sha256_word(self, data: E) -> E:
        return call("dbmask_digest_word", data)

    def digest_hex(self, data: E, algo: str) -> E | None:
        return call("dbmask_digest", data, text(algo))

    def utf8(self, value: E) -> E:
        # In the database's own encoding: the functions know it, and make UTF-8 of it.
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

    def hex_int(self, digits: E) -> E:
        return call("dbmask_word", digits, integer(0))

    def bytes_literal(self, value: bytes) -> E:
        return cast(exp.HexString(this=value.hex()), "BLOB", self.name)

    def repeat(self, value: str, count: E, among: E | None = None) -> E:
        # A piece of a literal costs a fifth of a call into Python, which is left for what is longer.
        most = max(_REPEATED // max(len(value), 1), 1)
        width = exp.Paren(this=exp.Mul(this=exp.Paren(this=count.copy()), expression=integer(len(value))))
        piece = self.substr(text(value * most), 1, count.copy() if len(value) == 1 else width)
        short = exp.LTE(this=exp.Paren(this=count), expression=integer(most))
        return exp.Case(ifs=[exp.If(this=short, true=piece)], default=call("dbmask_repeat", text(value), count.copy()))

    def find(self, value: E, part: str) -> E:
        return call("INSTR", value, text(part))

    def translate(self, value: E, source: str, target: str) -> E | None:
        return None

    def is_digits(self, value: E, most: int) -> E:
        others = exp.Not(this=exp.Glob(this=value, expression=text("*[^0-9]*")))
        length = exp.Between(this=self.length(value.copy()), low=integer(1), high=integer(most))
        return exp.Paren(this=exp.And(this=others, expression=length))

    def drop_parts(self, value: E, count: int) -> E:
        return call("dbmask_drop_parts", value, integer(count))

    def find_in(self, whole: str, part: E) -> E:
        return call("INSTR", text(whole), part)

    def contains(self, value: E, pattern: Portable) -> E:
        return call("dbmask_contains", value, text(pattern.written("\\Z")))

    def matches(self, value: E, pattern: str) -> E:
        return call("dbmask_matches", value, text(pattern))

    def regex_replace(self, value: E, pattern: str, new: str) -> E:
        return call("dbmask_replace_all", value, text(pattern), text(new))

    def change_case(self, value: E, upper: bool) -> E | None:
        return call("dbmask_case", value, text("upper" if upper else "lower"))

    def capitalize_words(self, value: E) -> E | None:
        return call("dbmask_case", value, text("words"))

    def exact(self, value: E, kind: Kind) -> E:
        return _when(_is_integer(value), cast(value.copy(), "TEXT", self.name), call("dbmask_exact", value))

    def quick_floor(self, value: E, step: Decimal, otherwise: E) -> E:
        # From 1 to 10**15 the whole part of a float is that of its shortest decimal text.
        if step != step.to_integral_value() or step >= _EXACT_FLOATS:
            return otherwise
        small = exp.Between(this=value.copy(), low=integer(1), high=integer(_EXACT_FLOATS - 1))
        numeric = exp.In(this=call("TYPEOF", value.copy()), expressions=[text("integer"), text("real")])
        whole = cast(value.copy(), "INTEGER", self.name)
        lower = exp.Paren(this=exp.Sub(this=whole, expression=self.mod(whole.copy(), int(step))))
        return _when(exp.And(this=numeric, expression=small), cast(lower, "TEXT", self.name), otherwise)

    def floor_to(self, exact: E, step: Decimal) -> E:
        return call("dbmask_floor_to", exact, self.exact_literal(step))

    def exact_literal(self, value: Decimal) -> E:
        return text(plain_number(value))

    def exact_add(self, exact: E, value: Decimal) -> E:
        return call("dbmask_add", exact, self.exact_literal(value))

    def exact_less(self, exact: E, value: Decimal) -> E:
        return exp.LT(this=call("dbmask_compare", exact, self.exact_literal(value)), expression=integer(0))

    def exact_text(self, exact: E, whole: bool = False) -> E:
        return exact

    def to_int(self, value: E) -> E:
        return cast(value, "INTEGER", self.name)

    def int_div(self, value: E, by: E | int) -> E:
        return exp.Paren(this=exp.Div(this=value, expression=as_integer(by), typed=True))

    def choose(self, values: Sequence[str], index: E) -> E | None:
        # JSON arrays are walked from their beginning: of two levels, no more than a few hundred steps are walked.
        chunks = [list(values[i : i + _CHUNK]) for i in range(0, len(values), _CHUNK)]

        def body(at: E) -> E:
            steps = [text("$["), self.int_div(at, _CHUNK), text("]["), self.mod(at.copy(), _CHUNK), text("]")]
            return call("JSON_EXTRACT", text(json_list(chunks)), self.concat(*steps))

        return self.shared(index, body, "at")

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        table = f"dbmask_let_{'_'.join(values)}"
        inner = exp.select(*(exp.alias_(v, n, quoted=True) for n, v in values.items())).subquery(table)
        return exp.select(body({n: column(n, table) for n in values})).from_(inner).subquery()

    def date_part(self, value: E, part: str) -> E:
        where = {"year": (1, 4), "month": (6, 2), "day": (9, 2)}[part]
        return cast(self.substr(value, *where), "INTEGER", self.name)

    def date_floor(self, value: E, part: str, kind: Kind) -> E | None:
        kept = {"year": 4, "month": 7, "day": 10}[part]
        begin = [text("-01-01"[kept - 4 :])] if kept < 10 else []
        day = self.concat(self.substr(value.copy(), 1, kept), *begin)
        midnight = self.concat(day.copy(), text(" 00:00:00"))
        made = call("dbmask_date_floor", value, text(part))
        return _when(_is_plain("DATE", value), day, _when(_is_plain("DATETIME", value), midnight, made))

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        move = self.concat(days, text(" days"))
        made = call("dbmask_add_days", value, days.copy())
        for form in ("DATETIME", "DATE"):  # NULL beyond the year 9999, where Python's form raises
            moved = call("COALESCE", call(form, value.copy(), move.copy()), made.copy())
            made = _when(_is_plain(form, value), moved, made)
        return made


def _when(condition: E, then: E, otherwise: E) -> E:
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


def _is_integer(value: E) -> E:
    return exp.EQ(this=call("TYPEOF", value.copy()), expression=text("integer"))


def _is_plain(form: str, value: E) -> E:
    """Whether a value is a valid DATE (2020-01-31) or DATETIME (2020-01-31 10:00:00) just as SQLite writes it, from year 1 on."""
    # Alone, DATE passes 30 February; moved by nothing, it makes 1 March of it.
    plain = exp.EQ(this=call(form, value.copy(), text("0 days")), expression=value.copy())
    year = call("SUBSTR", value.copy(), integer(1), integer(4))
    return exp.And(this=plain, expression=exp.GT(this=year, expression=text("0000")))


DIALECT = SQLite()
