"""uuid: a keyed UUID for each value."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonicalizer

__all__ = ["Uuid"]

_GIVEN = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
_MADE = uuid.UUID("b8bf24d8-6d17-8c7f-baa1-6092a7ce74f7")
_DIGITS = 36


@dataclass(frozen=True, kw_only=True)
class Uuid(KeyedMask):
    """A keyed UUIDv8 (RFC 9562): 122 bits of the PRF, so that different values give different UUIDs."""

    name: ClassVar[str] = "uuid"
    aliases: ClassVar[tuple[str, ...]] = ("imitate_uuid",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("A-1001", "0b751738-7bca-882f-806b-619ef873bb94"),
        Case(None, None),
        Case("", ""),
        Case(_GIVEN, _MADE, type=ColumnType(Kind.UUID, "uuid")),
    )

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit UUID columns and texts of 36 characters or more. Raises BindError on others."""
        type_ = columns.target.type
        if type_.kind not in (Kind.UUID, Kind.TEXT):
            hint = "use permute" if type_.kind is Kind.INTEGER else "use fixed or null"
            raise BindError(f"uuid makes a UUID, and the column is {type_}", hint)
        if type_.length is not None and type_.length < _DIGITS:
            raise BindError(
                f"a UUID has {_DIGITS} characters, and the column is {type_}",
                f"use hash with `length: {type_.length}`, or imitate with `unique: true`",
            )
        key = self.key(keys)
        canonical = canonicalizer(type_.kind, type_.padded)
        is_text = type_.is_text
        out = replace(type_, length=_DIGITS, padded=False) if is_text else type_

        def python(value: Any) -> Any:
            made = _layout(key.prf(canonical(value)).hex())
            return made if is_text or isinstance(value, str) else uuid.UUID(made)

        def sql(value: Any, dialect: Any) -> Any:
            text = dialect.canonical(value, type_.kind, type_.padded)
            if text is None:
                return None
            made = dialect.uuid8(dialect.prf_hex(text, key.name))
            return made if is_text else dialect.typed(made, Kind.UUID)

        promises = Promises(type=out, injective=True, keyed=True, outcomes=2**122, unchanged=0.0)
        return self.bound(columns, promises, python, sql)


def _layout(digits: str) -> str:
    """Version 8 and variant 10 over 32 of the PRF's hex digits."""
    variant = "89ab"[int(digits[16], 16) // 4]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
