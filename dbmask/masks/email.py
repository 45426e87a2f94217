"""email: an address that looks like one, and is nobody's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonicalizer

__all__ = ["Email"]

_LIST = (
    "acorn alder almond amber anise apple aspen aster azure balsam bamboo basil beech berry birch bloom "
    "breeze briar brook canyon cedar cherry citrus clover cobalt comet copper coral cotton cosmos crane "
    "creek cress crystal cypress dahlia daisy dawn delta dove dune eagle ebony elder ember falcon fennel "
    "fern finch fir fjord flax flint forest frost garnet ginger glade granite grove harbor hazel heath "
    "heron holly honey indigo iris ivory ivy jade jasmine juniper kelp kestrel lagoon lake larch lark "
    "laurel lemon lilac linden lotus lupin lynx maple marble meadow mint mist moss myrtle nectar nettle "
    "nutmeg oak oasis olive onyx opal orchid osprey otter pearl pebble pepper petal pine plum poplar "
    "poppy prairie quail quartz raven reed ridge river robin rose rowan saffron sage sequoia shell silver "
    "sorrel"
)
_WORDS = tuple(_LIST.split())
"""128 words of at most 7 letters; their order is frozen."""
_WORD_CHARS = max(map(len, _WORDS))
_HEX = 10
_UNIQUE_HEX = 24
_FEWEST = 8
_FEWEST_UNIQUE = 20
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Email(KeyedMask):
    """An address with a made-up local part at ``host``, or at the address's own host with ``keep_host``.

    Without ``unique`` there are 128 words times 40 bits of them, so that 100,000 people collide in one of 28,000 databases. With
    ``unique`` the local part is 96 bits of the PRF (80 at least, where the column is short), which may stand on a unique column.
    """

    name: ClassVar[str] = "email"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("alice@acme.com", "lotus.ca7253f529@example.com"),
        Case("alice@acme.com", "lotus.ca7253f529@test.invalid", {"host": "test.invalid"}),
        Case("alice@acme.com", "lotus.ca7253f529@acme.com", {"keep_host": True}),
        Case("no address", "apple.5c00c92578@example.com", {"keep_host": True}),
        Case("alice@acme.com", "ca7253f52946b059fe19b489@example.com", {"unique": True}),
        Case("alice@acme.com", "ca7253f52946b059fe19b489@acme.com", {"unique": True, "keep_host": True}),
        Case("alice@acme.com", "ca7253f529@example.com", {}, ColumnType(Kind.TEXT, "varchar(25)", length=25)),
        Case(
            "alice@acme.com",
            "lotus.ca7253f529@acme.com",
            {"keep_host": True},
            ColumnType(Kind.TEXT, "varchar(32)", length=32),
        ),
        Case(None, None),
        Case("", ""),
    )

    host: Annotated[str, Field(min_length=1)] = "example.com"
    keep_host: bool = False
    unique: bool = False

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError("host is a domain name, such as example.com")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns long enough for the local part and the host. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"email makes text, and the column is {type_}", "use fixed or null")
        shape = _Shape.fitting(type_, self.host, self.unique)
        key = self.key(keys)
        canonical = canonicalizer(type_.kind, type_.padded)

        def python(value: Any) -> str:
            local = shape.local(key.prf(canonical(value)).hex())
            return f"{local}@{shape.host_of(str(value)) if self.keep_host else self.host}"

        def sql(value: Any, dialect: Any) -> Any:
            from dbmask_sql.dialects.base import text

            read = dialect.canonical(value, type_.kind, type_.padded)
            local = shape.local_sql(dialect.prf_hex(read, key.name), dialect)
            host = shape.host_sql(value, dialect) if self.keep_host else text(self.host)
            return None if local is None else dialect.concat(local, text("@"), host)

        longest = type_.length if self.keep_host else shape.longest + 1 + len(self.host)
        promises = Promises(
            type=replace(type_, length=longest, padded=False),
            # 2**-80 or less for any pair of values: for a billion rows, a chance of one in a million.
            injective=self.unique,
            keyed=True,
            outcomes=shape.outcomes,
            unchanged=0.0,
        )
        return self.bound(columns, promises, python, sql)


@dataclass(frozen=True)
class _Shape:
    """How a local part is made: with a word or without, and of how many hex digits; ``limit`` is the column's length."""

    host: str
    word: bool
    digits: int
    limit: int | None

    @classmethod
    def fitting(cls, type_: ColumnType, host: str, unique: bool) -> _Shape:
        """The longest shape that fits. Raises BindError where none does."""
        room = 320 if type_.length is None else type_.length - len(host) - 1
        least = _FEWEST_UNIQUE if unique else _FEWEST
        if room < least:
            takes = f"{least + 1 + len(host)} characters at {host}"
            hint = f"use a shorter `host`, or hash with `length: {type_.length}`"
            what = "an e-mail address with `unique`" if unique else "an e-mail address"
            raise BindError(f"{what} takes {takes}, and the column is {type_}", hint)
        word = not unique and room >= _WORD_CHARS + 1 + _HEX
        return cls(host, word, _HEX if word else min(_UNIQUE_HEX if unique else _HEX, room), type_.length)

    @property
    def longest(self) -> int:
        """Characters of the longest local part."""
        return self.digits + (_WORD_CHARS + 1 if self.word else 0)

    @property
    def outcomes(self) -> int:
        """How many local parts there are."""
        return int(16**self.digits * (len(_WORDS) if self.word else 1))

    def local(self, prf: str) -> str:
        """The local part from the PRF's hex digits."""
        digits = prf[15 : 15 + self.digits]
        return f"{_WORDS[int(prf[:15], 16) % len(_WORDS)]}.{digits}" if self.word else digits

    def local_sql(self, prf: Any, dialect: Any) -> Any:
        """As ``local``."""
        from dbmask_sql.dialects.base import text

        def body(digits: Any) -> Any:
            word = dialect.choose(_WORDS, dialect.mod(dialect.word(digits, 0), len(_WORDS)))
            return dialect.concat(word, text("."), dialect.substr(digits.copy(), 16, self.digits))

        return dialect.shared(prf, body, "h") if self.word else dialect.substr(prf, 16, self.digits)

    def host_of(self, address: str) -> str:
        """What follows the last "@", where it is a plain domain name that fits; the mask's own host otherwise."""
        host = address.rpartition("@")[2] if "@" in address else ""
        fits = self.limit is None or self.longest + 1 + len(host) <= self.limit
        return host if fits and len(host) <= _LONGEST_HOST and _KEPT.fullmatch(host) else self.host

    def host_sql(self, value: Any, dialect: Any) -> Any:
        """As ``host_of``."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer, text

        most = _LONGEST_HOST if self.limit is None else min(_LONGEST_HOST, self.limit - self.longest - 1)
        host = dialect.regex_replace(value.copy(), "^(?:[^@]*@)*", "")
        address = dialect.matches(value.copy(), f"(?:[^@]*@)+(?:{_KEPT.pattern})")
        short = exp.LTE(this=dialect.length(host.copy()), expression=integer(most))
        return exp.Case(ifs=[exp.If(this=exp.And(this=address, expression=short), true=host)], default=text(self.host))


_LONGEST_HOST = 253
_KEPT = re.compile("[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")
