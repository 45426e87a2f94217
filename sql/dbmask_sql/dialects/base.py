"""The primitives themselves: what every dialect offers, and the forms that most share.

Everything returns a fresh sqlglot tree; arguments are copied where they are used twice. A primitive that a
database cannot be shown to give equal to Python returns None, and the mask then runs in Python.
Text primitives count characters (code points). All are NULL in, NULL out unless they say otherwise.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from dbmask_sql.dialects.nodes import (
    E,
    as_integer,
    call,
    cast,
    cast_as_written,
    column,
    integer,
    joined,
    json_list,
    null,
    number,
    separated,
    text,
)
from dbmask_sql.keyref import INNER, OUTER, key_ref
from dbmask_sql.kinds import Kind
from dbmask_sql.patterns import Portable

__all__ = [
    "WORDS",
    "WORD_DIGITS",
    "Dialect",
    "E",
    "as_integer",
    "call",
    "cast",
    "cast_as_written",
    "column",
    "integer",
    "json_list",
    "null",
    "number",
    "separated",
    "text",
]

WORD_DIGITS = 15
"""Hex digits in a word: 60 bits, which fit a signed 64-bit integer in every database."""
WORDS = 4
"""Words in one PRF output."""


class Dialect:
    """What one database can compute. ``name`` is sqlglot's name for it."""

    name = ""
    max_literal_list = 5_000

    # -- canonical text ------------------------------------------------------------------------------------------

    def plain(self, value: E, padded: bool = False) -> E:
        """A text or enum column as text that is searched and compared by code points, whatever its collation; char(n) loses its padding."""
        raise NotImplementedError

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        """The canonical text of a value of ``kind`` (dbmask_sql.canonical is the same table in Python)."""
        raise NotImplementedError

    # -- keyed ---------------------------------------------------------------------------------------------------

    def sha256_hex(self, data: E) -> E:
        """SHA-256 of bytes as 64 lower-case hex digits."""
        raise NotImplementedError

    def digest_hex(self, data: E, algo: str) -> E | None:
        """A digest of bytes by hashlib's name for it, in lower-case hex."""
        return self.sha256_hex(data) if algo == "sha256" else None

    def from_hex(self, digits: E) -> E:
        """Bytes from hex digits."""
        raise NotImplementedError

    def utf8(self, value: E) -> E:
        """The UTF-8 bytes of a text."""
        raise NotImplementedError

    def join_bytes(self, *parts: E) -> E:
        """Bytes joined."""
        return joined(parts)

    def prf_hex(self, value: E, key: str) -> E:
        """HMAC-SHA-256 of a text's UTF-8 bytes under the key called ``key``, as 64 lower-case hex digits."""
        inner = self.sha256_hex(self.join_bytes(key_ref(key, INNER), self.utf8(value)))
        return self.sha256_hex(self.join_bytes(key_ref(key, OUTER), self.from_hex(inner)))

    def prf_short_hex(self, value: E, key: str) -> E:
        """ColumnKey.short in SQL: one SHA-256; sound only for inputs of one fixed length per key."""
        return self.sha256_hex(self.join_bytes(key_ref(key, INNER), self.utf8(value)))

    def hex_int(self, digits: E) -> E:
        """A 64-bit integer from exactly 15 hex digits."""
        raise NotImplementedError

    def word(self, hex_digits: E, index: int) -> E:
        """Word ``index`` (0 to 3) of 64 hex digits: 60 bits as an integer."""
        return self.hex_int(self.substr(hex_digits, 1 + WORD_DIGITS * index, WORD_DIGITS))

    def sha256_word(self, data: E) -> E:
        """Word 0 of the SHA-256 of bytes."""
        return self.word(self.sha256_hex(data), 0)

    def prf_word(self, value: E, key: str, index: int = 0) -> E:
        """Word ``index`` of the PRF of a text."""
        return self.word(self.prf_hex(value, key), index)

    # -- text ----------------------------------------------------------------------------------------------------

    def concat(self, *parts: E) -> E:
        """Texts joined; NULL where any part is."""
        return joined(parts)

    def substr(self, value: E, start: int | E, length: int | E | None = None) -> E:
        """Characters from ``start`` (from 1), ``length`` of them or all that follow; ``start`` is 1 or more."""
        args = [value, as_integer(start)] + ([as_integer(length)] if length is not None else [])
        return call("SUBSTR", *args)

    def length(self, value: E) -> E:
        """The number of characters."""
        return call("LENGTH", value)

    def right(self, value: E, count: int) -> E:
        """The last ``count`` characters, or all where there are fewer."""
        start = call(
            self.greatest,
            exp.Add(this=exp.Sub(this=self.length(value), expression=integer(count)), expression=integer(1)),
            integer(1),
        )
        return self.substr(value.copy(), start) if count else text("")

    def is_empty(self, value: E) -> E:
        """Whether a text has no character, whatever its collation takes for equal; NULL of NULL."""
        return exp.EQ(this=self.length(value), expression=integer(0))

    def repeat(self, value: str, count: E, among: E | None = None) -> E:
        """A literal repeated ``count`` times; a count below 1 gives the empty text.

        ``among`` is a text of at least so many characters, where there is one: its size may say how this is best done.
        """
        return call("REPEAT", text(value), count)

    def replace(self, value: E, old: E, new: E) -> E:
        """Every occurrence of ``old``, compared by bytes, replaced; an empty ``old`` replaces nothing."""
        return call("REPLACE", value, old, new)

    def translate(self, value: E, source: str, target: str) -> E | None:
        """Each character of ``source`` replaced by the one at the same place in ``target``."""
        return call("TRANSLATE", value, text(source), text(target))

    def compare(self, node: type[E], value: E, other: E) -> E:
        """Two plain texts compared by code points (exp.EQ, exp.LT ...)."""
        return node(this=value, expression=other)

    def find(self, value: E, part: str) -> E:
        """Where a literal first occurs in a plain text, from 1; 0 where it does not."""
        return call("STRPOS", value, text(part))

    def matches(self, value: E, pattern: str) -> E:
        """Whether a pattern matches the whole of a plain text.

        The pattern keeps to what every engine reads alike: literals, escaped punctuation, ASCII classes without
        shorthands, ``(?:...)``, ``|``, ``* + ?`` and ``{m,n}`` up to 255; no dots, anchors or captures.
        """
        raise NotImplementedError

    def contains(self, value: E, pattern: Portable) -> E:
        """Whether a pattern is found in a plain text."""
        raise NotImplementedError

    def regex_replace(self, value: E, pattern: str, new: str) -> E:
        """Every match of a pattern, which keeps to the same rules but may begin with ``^``, replaced by a text without backslashes."""
        return call("REGEXP_REPLACE", value, text(pattern), text(new), text("g"))

    def is_digits(self, value: E, most: int) -> E:
        """Whether a plain text is one to ``most`` ASCII digits."""
        return self.matches(value, f"[0-9]{{1,{most}}}")

    def drop_parts(self, value: E, count: int) -> E:
        """A plain text's parts between commas but the first ``count``, each without ASCII space around it, joined by a comma and a space.

        Empty where there are no more parts than that.
        """
        raise NotImplementedError

    def uuid8(self, digits: E) -> E:
        """A UUIDv8 (RFC 9562) of 32 hex digits or more, of which version and two bits of the variant replace some."""

        def laid_out(known: E) -> E:
            def piece(start: int, length: int) -> E:
                return self.substr(known.copy(), start + 1, length)

            parts = [
                piece(0, 8),
                text("-"),
                piece(8, 4),
                text("-8"),
                piece(13, 3),
                text("-"),
                self._variant(piece(16, 1)),
            ]
            return self.concat(*parts, piece(17, 3), text("-"), piece(20, 12))

        return self.shared(digits, laid_out, self.fresh("h", digits))

    def _variant(self, digit: E) -> E:
        """The hex digit of the bits 10 and the first two of ``digit``."""
        return self.substr(text("88889999aaaabbbb"), self.find_in("0123456789abcdef", digit), 1)

    def find_in(self, whole: str, part: E) -> E:
        """Where a text first occurs in a literal, from 1; 0 where it does not."""
        return call("STRPOS", text(whole), part)

    def change_case(self, value: E, upper: bool) -> E | None:
        """Letters in upper or lower case by the fixed table of :mod:`dbmask_sql.casing`."""
        return None

    def capitalize_words(self, value: E) -> E | None:
        """The first letter after each space in upper case, all others in lower case, by the fixed table."""
        return None

    def tuple_text(self, parts: Sequence[E]) -> E:
        """canonical.tuple_text in SQL: the texts joined so that different tuples never read alike; NULL counts as ``~``."""
        framed = []
        for part in parts:
            filled = exp.Coalesce(this=part, expressions=[text("~")])
            framed += [self.to_text(self.length(filled)), text(":"), filled.copy(), text(",")]
        return self.concat(*framed)

    # -- numbers -------------------------------------------------------------------------------------------------

    greatest = "GREATEST"
    least = "LEAST"

    def mod(self, value: E, by: E | int) -> E:
        """The remainder of non-negative integers."""
        return exp.Paren(this=exp.Mod(this=value, expression=as_integer(by)))

    def int_div(self, value: E, by: E | int) -> E:
        """The quotient of integers, truncated."""
        return exp.Paren(this=exp.Div(this=value, expression=as_integer(by), typed=True, safe=False))

    def quotient(self, value: E, by: E | int) -> E:
        """The quotient of non-negative 64-bit integers, truncated to one."""
        return self.int_div(value, by)

    def exact(self, value: E, kind: Kind) -> E:
        """An exact number, for the three primitives below: of an integer, decimal or float as it is; of a plain text rounded half away
        from zero to 20 decimals, or NULL where it is no number that :data:`dbmask_sql.numbers.NUMBER` describes."""
        raise NotImplementedError

    def quick_floor(self, value: E, step: Decimal, otherwise: E) -> E:
        """``otherwise``, or the same by plainer arithmetic where a numeric ``value`` allows."""
        return otherwise

    def floor_to(self, exact: E, step: Decimal) -> E:
        """The largest multiple of ``step`` that is not above an exact number; names it twice."""
        by = self.exact_literal(step)
        rest = exp.Paren(this=exp.Add(this=self.mod(exact, by), expression=by.copy()))
        return exp.Paren(this=exp.Sub(this=exact.copy(), expression=self.mod(rest, by.copy())))

    def exact_add(self, exact: E, value: Decimal) -> E:
        """An exact number and a constant added."""
        return exp.Paren(this=exp.Add(this=exact, expression=self.exact_literal(value)))

    def exact_less(self, exact: E, value: Decimal) -> E:
        """Whether an exact number is less than a constant."""
        return exp.LT(this=exact, expression=self.exact_literal(value))

    def exact_literal(self, value: Decimal) -> E:
        """A literal to add to, or to compare with, an exact number."""
        return number(value)

    def exact_text(self, exact: E, whole: bool = False) -> E:
        """An exact number in decimal, without trailing zeros; ``whole`` says that it is an integer."""
        made = self.canonical(
            cast(exact, self.whole_type, self.name) if whole else exact, Kind.INTEGER if whole else Kind.DECIMAL
        )
        assert made is not None  # noqa: S101 - every dialect has it
        return made

    whole_type = "DECIMAL(38,0)"
    """The type that holds every exact number which is an integer."""

    def wide(self, value: E, places: int) -> E | None:
        """A number as the widest exact decimal with ``places`` decimal places, for sums that must not overflow; else None."""
        return None

    def to_int(self, value: E) -> E:
        """A 64-bit integer from a number or from a text of digits."""
        return cast(value, "BIGINT", self.name)

    def to_text(self, value: E) -> E:
        """The text of an integer."""
        return cast(value, "TEXT", self.name)

    def as_type(self, value: E, type_sql: str, named: bool = False) -> E:
        """A masked value as the column's own type, for databases whose binary rows depend on it.

        ``named`` says that the type is one that users made (a domain, an enum): its name means nothing else, even
        where some database has a type called so.
        """
        return value

    # -- choice --------------------------------------------------------------------------------------------------

    def choose(self, values: Sequence[str], index: E) -> E | None:
        """Element ``index`` (from 0) of a list of literals."""
        raise NotImplementedError

    names_values = True
    """Whether intermediate values can be named: whether ``let``, ``let_all`` and ``repeated`` give anything."""

    def let(self, value: E, body: Callable[[E], E], name: str = "v") -> E | None:
        """``body`` over ``value``, which is computed once however often the body uses it; None where this cannot be said.

        Where lets are nested and an inner body uses an outer value, each needs a ``name`` of its own.
        """
        return self.let_all({name: value}, lambda refs: body(refs[name]))

    def shared(self, value: E, body: Callable[[E], E], name: str = "v") -> E:
        """As ``let``; where values cannot be named, ``value`` is written out, and computed, wherever the body uses it."""
        made = self.let(value, body, name)
        return body(value) if made is None else made

    def fresh(self, stem: str, value: E) -> str:
        """A name for ``let`` that ``value`` does not use itself."""
        used = " ".join(node.name for node in value.find_all(exp.Identifier))
        while stem in used:
            stem += "_"
        return stem

    def let_all(self, values: Mapping[str, E], body: Callable[[Mapping[str, E]], E]) -> E | None:
        """``body`` over several values, by name, each computed once; None where this cannot be said."""
        raise NotImplementedError

    def repeated(self, start: E, times: int, body: Callable[[E, E], E], name: str = "r") -> E | None:
        """``body`` applied ``times`` times, to the value so far and the number of the turn (from 0); None where this cannot be said.

        The body is built more than once.
        """

        def turn(value: E, i: int) -> E:
            if i == times:
                return value
            return typing.cast(E, self.let(body(value, integer(i)), lambda v: turn(v, i + 1), f"{name}{i}"))

        return self.let(start, lambda v: turn(v, 0), name) if self.names_values else None

    def one_of(self, value: E, values: Sequence[str]) -> E | None:
        """Whether a plain text is one of these literals; None where there are too many or none."""
        if not values or len(values) > self.max_literal_list:
            return None
        return exp.Paren(this=exp.In(this=value, expressions=[text(v) for v in values]))

    # -- dates ---------------------------------------------------------------------------------------------------

    def date_part(self, value: E, part: str) -> E:
        """year, month or day of a finite date or timestamp, as an integer."""
        return exp.Extract(this=exp.Var(this=part.upper()), expression=value)

    def endless(self, value: E) -> E | None:
        """Whether a date or timestamp is none that days could be added to: infinite, or MySQL's zero; None where there is no such thing."""
        return None

    def typed(self, value: E, kind: Kind) -> E:
        """A text (ISO 8601 for dates and times, zoned ones in UTC) as a value of ``kind``."""
        return cast(value, self.types[kind], self.name) if kind in self.types else value

    types: typing.ClassVar[dict[Kind, str]] = {}
    utc_suffix = "+00:00"
    """What follows a timestamp in a literal to say that it is in UTC."""

    def bytes_literal(self, value: bytes) -> E:
        """Bytes as a constant."""
        return self.from_hex(text(value.hex()))

    def date_floor(self, value: E, part: str, kind: Kind) -> E | None:
        """A date or timestamp at the beginning of its year, month or day (zoned ones by UTC)."""
        return None

    def add_days(self, value: E, days: E, kind: Kind) -> E | None:
        """A date or timestamp moved by a number of days; the time of day stays."""
        raise NotImplementedError
