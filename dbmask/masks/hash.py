"""hash: a digest of the value, keyed by default."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonicalizer

__all__ = ["Hash"]

_SALTED = "a9ee25e87c2a4b288991f5f723f20228c2d72008c09b6db29e62a0e579c4a840"
_SHA512 = (
    "e12eebe75573e57a24901511fff22cd46ad4a2aa053521e223b3406b577517b9"
    "66559360f954e5b647c9b0edb51113fb99363df03acd47fb0e10765d4a5ed925"
)


@dataclass(frozen=True, kw_only=True)
class Hash(KeyedMask):
    """A digest in lower-case hex: HMAC-SHA-256 under the column key, or with ``keyed: false`` a plain digest of value and ``salt``."""

    name: ClassVar[str] = "hash"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("1", "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b", {"keyed": False}),
        Case("1", "6b86b273ff34", {"keyed": False, "length": 12}),
        Case("1", _SALTED, {"keyed": False, "salt": "gs"}),
        Case("E11.9", _SHA512, {"keyed": False, "algo": "sha512"}),
        Case("a", "0cc175b9c0f1b6a831c399e269772661", {"keyed": False, "algo": "md5"}),
        Case("1", "90e83e41c7ed734d38d8829381fa8be70fb7a07ebd05bc6468d41f8c85a9a0c9"),
        Case("Žluťoučký kůň", "94f9901ed5c60e3b", {"length": 16}),
        Case("1", "6423797e04c44597361492525f3e9a65d86dc7dd1dc367a40556a7392785c8be", {"domain": "customers"}),
        Case(None, None),
        Case("", ""),
        Case("", "(empty)", {"on_empty": "(empty)"}),
        Case(None, "", {"keyed": False, "on_null": ""}),
    )

    length: Annotated[int, Field(ge=1)] | None = None
    algo: str = "sha256"
    salt: str = ""
    keyed: bool = True

    def __post_init__(self) -> None:
        if self.keyed and (self.algo != "sha256" or self.salt):
            raise ValueError("algo and salt belong to `keyed: false`; a keyed hash is HMAC-SHA-256")
        if self.algo not in hashlib.algorithms_available or hashlib.new(self.algo).digest_size == 0:
            raise ValueError("algo must name a digest of fixed length that hashlib knows, such as sha256")
        if self.length is not None and self.length > self._full:
            raise ValueError(f"length is at most {self._full} hex digits for {self.algo}")

    @property
    def _full(self) -> int:
        return 2 * hashlib.new(self.algo).digest_size

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns long enough for the digits. Raises BindError on others."""
        type_ = columns.target.type
        digits = self.length or self._full
        if not type_.is_text:
            hint = (
                "use permute"
                if type_.kind is Kind.INTEGER
                else "use uuid"
                if type_.kind is Kind.UUID
                else "use fixed or null"
            )
            raise BindError(f"hash makes text, and the column is {type_}", hint)
        if type_.length is not None and digits > type_.length:
            raise BindError(
                f"hash gives {digits} characters, and the column is {type_}",
                f"set `length: {type_.length}` or less, or use a mask that keeps the length, such as imitate",
            )
        out = Promises(
            type=ColumnType(Kind.TEXT, type_.sql, length=digits),
            injective=digits == self._full and self.algo not in _BROKEN,
            keyed=self.keyed,
            outcomes=16**digits,
            unchanged=0.0,
            warnings=() if self.keyed else (_guessable(type_.length),),
        )
        canonical = canonicalizer(type_.kind, type_.padded)
        if not self.keyed:
            return self.bound(columns, out, lambda v: self._digest(canonical(v))[:digits], self._plain_sql)
        key = self.key(keys)

        def keyed_sql(value: Any, dialect: Any) -> Any:
            text = dialect.canonical(value, type_.kind, type_.padded)
            if text is None:
                return None
            made = dialect.prf_hex(text, key.name)
            return made if digits == self._full else dialect.substr(made, 1, digits)

        return self.bound(columns, out, lambda v: key.prf(canonical(v)).hex()[:digits], keyed_sql)

    def _digest(self, data: bytes) -> str:
        return hashlib.new(self.algo, data + self.salt.encode()).hexdigest()

    def _plain_sql(self, value: Any, dialect: Any) -> Any:
        from dbmask_sql.dialects.base import text

        salted = dialect.concat(value, text(self.salt)) if self.salt else value
        made = dialect.digest_hex(dialect.utf8(salted), self.algo)
        return made if made is None or self.length is None else dialect.substr(made, 1, self.length)


_BROKEN = ("md5", "sha1")
"""Digests of which texts with the same one are known."""


_GUESSES_PER_SECOND = 10**10
"""SHA-256 on one graphics card, in round figures."""
_ALPHABET = 36


def _guessable(length: int | None) -> str:
    """How long it takes to try every value of a column of ``length`` characters, and what to do about it."""
    longest = length if length is not None and length <= 12 else None
    what = f"all {longest}-character values" if longest else "all 10-digit numbers"
    seconds = (_ALPHABET**longest if longest else 10**10) / _GUESSES_PER_SECOND
    if seconds < 60:
        took = f"{max(seconds, 1):.0f} s"
    elif seconds < 86_400:
        took = f"{seconds / 3600:.1f} h"
    else:
        took = f"{seconds / 86_400:,.0f} days"
    return f"an unkeyed hash can be undone by guessing: {what} are tried in about {took}; leave out `keyed: false`"
