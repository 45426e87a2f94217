"""redact: characters replaced, length kept, some shown at either end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask

__all__ = ["Redact"]


@dataclass(frozen=True, kw_only=True)
class Redact(ValueMask):
    """Characters replaced by ``char``; the first ``keep_start`` and last ``keep_end`` stay. Where that would keep all, all is replaced."""

    name: ClassVar[str] = "redact"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("John Doe", "********"),
        Case("555-0101", "****0101", {"keep_end": 4}),
        Case("alice@example.com", "a*************com", {"keep_start": 1, "keep_end": 3}),
        Case("abc", "***", {"keep_start": 2, "keep_end": 1}),
        Case(None, None),
        Case("", ""),
    )

    char: Annotated[str, Field(min_length=1, max_length=1)] = "*"
    keep_start: Annotated[int, Field(ge=0)] = 0
    keep_end: Annotated[int, Field(ge=0)] = 0

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(
                f"redact makes text, and the column is {type_}",
                "use fixed, null, or generalize with method: floor",
            )
        return self.bound(columns, Promises(type=type_), self._value, self._sql, keeps_empty=True)

    def _value(self, value: Any) -> str:
        text = str(value)
        start, end = self.keep_start, self.keep_end
        hidden = len(text) - start - end
        if hidden <= 0:
            return self.char * len(text)
        return text[:start] + self.char * hidden + text[len(text) - end :]

    def _sql(self, value: Any, dialect: Any) -> Any:
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer

        length = dialect.length(value)
        if not (self.keep_start or self.keep_end):
            return dialect.repeat(self.char, length, value)
        kept = self.keep_start + self.keep_end
        hidden = exp.Sub(this=length.copy(), expression=integer(kept))
        parts = [dialect.repeat(self.char, hidden, value)]
        if self.keep_start:
            parts.insert(0, dialect.substr(value.copy(), 1, self.keep_start))
        if self.keep_end:
            parts.append(dialect.right(value.copy(), self.keep_end))
        short = exp.LTE(this=length, expression=integer(kept))
        shown = dialect.concat(*parts) if len(parts) > 1 else parts[0]
        return exp.Case(ifs=[exp.If(this=short, true=dialect.repeat(self.char, length.copy()))], default=shown)
