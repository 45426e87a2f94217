"""case: upper, lower or capital letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask
from dbmask_sql.casing import capitalize_words, lower, upper

__all__ = ["ChangeCase"]


def _sentence(value: str) -> str:
    return upper(value[:1]) + lower(value[1:])


_PYTHON: dict[str, Callable[[str], str]] = {
    "uppercase": upper,
    "lowercase": lower,
    "capitalize_words": capitalize_words,
    "capitalize_sentence": _sentence,
}


@dataclass(frozen=True, kw_only=True)
class ChangeCase(ValueMask):
    """Letters in another case. Words are what stands between spaces; ``capitalize_sentence`` raises the first character of the text alone.

    Letters go by a fixed table of pairs, the same in every database; those without a fellow of one letter (``ß``) stay.
    """

    name: ClassVar[str] = "case"
    aliases: ClassVar[tuple[str, ...]] = ("transform_case",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Jana Nováková", "JANA NOVÁKOVÁ", {"transform": "uppercase"}),
        Case("Jana NOVÁKOVÁ", "jana nováková", {"transform": "lowercase"}),
        Case("jana  o'hara-nOVÁ", "Jana  O'hara-nová", {"transform": "capitalize_words"}),
        Case("žlutý KŮŇ", "Žlutý kůň", {"transform": "capitalize_sentence"}),
        Case("Straße", "STRAßE", {"transform": "uppercase"}),
        Case(None, None, {"transform": "uppercase"}),
        Case("", "", {"transform": "uppercase"}),
    )

    transform: Literal["uppercase", "lowercase", "capitalize_words", "capitalize_sentence"]

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"case makes text, and the column is {type_}", "use keep, fixed or null")
        python = _PYTHON[self.transform]
        return self.bound(columns, Promises(type=type_), lambda v: python(str(v)), self._sql, keeps_empty=True)

    def _sql(self, value: Any, dialect: Any) -> Any:
        if self.transform == "capitalize_words":
            return dialect.capitalize_words(value)
        if self.transform != "capitalize_sentence":
            return dialect.change_case(value, self.transform == "uppercase")
        first = dialect.change_case(dialect.substr(value, 1, 1), True)
        rest = dialect.change_case(dialect.substr(value.copy(), 2), False)
        return None if first is None else dialect.concat(first, rest)
