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


@dataclass(frozen=True, kw_only=True)
class Hash(KeyedMask):
    """A digest in lower-case hex: HMAC-SHA-256 under the column key, or with ``keyed: false`` a plain digest of value and ``salt``."""

    name: ClassVar[str] = "hash"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("1", "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b", {"keyed": False}),
        Case("1", "6b86b273ff34", {"keyed": False, "length": 12}),
        Case(None, None),
        Case("", ""),
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
            injective=digits == self._full,
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
        if self.algo != "sha256":
            return None
        from dbmask_sql.dialects.base import text

        salted = dialect.concat(value, text(self.salt)) if self.salt else value
        made = dialect.sha256_hex(dialect.utf8(salted))
        return made if self.length is None else dialect.substr(made, 1, self.length)


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
