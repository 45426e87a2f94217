"""full_name: first and last name in one column, each as the masks of its own column would mask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._name_mask import NameMask, Part, gender_of, gender_sql
from dbmask.masks._rows import RowBound
from dbmask.masks.base import Bound, Case, Columns, Promises

__all__ = ["FullName"]

_COMMA = ", "


@dataclass(frozen=True, kw_only=True)
class FullName(NameMask):
    """Another first and last name: what stands before the first space and after the last one, or around ``, ``, last name first.

    Each part masks as ``first_name`` and ``last_name`` of the same locale and domain mask it, so that a note which repeats
    the person's name repeats the masked one. A single word masks as a first name; middle names are left out.
    """

    name: ClassVar[str] = "full_name"
    usages: ClassVar[tuple[str, ...]] = ("first", "last")
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Sarah Connor", "Agripina Terrell"),
        Case("CONNOR, Sarah", "TERRELL, Agripina"),
        Case("Jana Marie Nováková", "Vesna Krejčí", {"locale": "cs"}),
        Case("Sarah", "Agripina"),
        Case(None, None),
        Case("", ""),
    )

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others, and where no names are short enough."""
        self.check(columns)
        type_ = columns.target.type
        told = self.told_by(columns)
        first, last = self._parts(keys, type_.length)
        first_of, last_of = first.python(told is not None), last.python(told is not None)
        gender = gender_of(told)

        def python(value: Any, *others: Any) -> str:
            known = gender(*others)
            given, joint, family = _split(str(value))
            if not joint:
                return first_of(given, known)
            names = first_of(given, known), last_of(family, known)
            return joint.join(names if joint == " " else names[::-1])

        def expression(exprs: Sequence[Any], dialect: Any) -> Any:
            known = None if told is None else gender_sql(told, exprs[1], dialect)
            by_column = told is not None
            if not (first.fits(by_column, dialect) and last.fits(by_column, dialect)) or (by_column and known is None):
                return None
            return _sql(exprs[0], first, last, known, dialect)

        promises = Promises(
            type=type_,
            value_only=told is None,
            keyed=True,
            outcomes=_most(first) * _most(last),
            unchanged=0.0,
        )
        return RowBound.of(self, columns, () if told is None else (told,), promises, python, expression)

    def _parts(self, keys: KeyRing, length: int | None) -> tuple[Part, Part]:
        """Both parts; where the column is too short for the longest of each, each gets half of it. Raises BindError."""
        first, last = self.part("first", keys, None), self.part("last", keys, None)
        if length is None or _longest(first) + _longest(last) + len(_COMMA) <= length:
            return first, last
        half = (length - len(_COMMA)) // 2
        if half < 1:
            raise BindError(f"no first and last name fit into {length} characters", "use imitate or redact")
        return self.part("first", keys, length - len(_COMMA) - half), self.part("last", keys, half)


def _longest(part: Part) -> int:
    return max(len(n) for names in part.table.groups.values() for n in names)


def _most(part: Part) -> int:
    return part.books(False)[None].outcomes


def _split(value: str) -> tuple[str, str, str]:
    """First name, what joins it to the last name, last name; nothing joins a single word."""
    family, comma, given = value.partition(_COMMA)
    if comma:
        return given, _COMMA, family
    words = value.split(" ")
    return (words[0], " ", words[-1]) if len(words) > 1 else (value, "", "")


def _sql(value: Any, first: Part, last: Part, gender: Any, dialect: Any) -> Any:
    from sqlglot import exp

    from dbmask_sql.dialects.base import call, integer, text

    def found(part: str) -> Any:
        return exp.GT(this=dialect.find(value.copy(), part), expression=integer(0))

    def split(separator: str, index: int) -> Any:
        return call("SPLIT_PART", value.copy(), text(separator), integer(index))

    rest = dialect.substr(
        value.copy(), exp.Add(this=dialect.find(value.copy(), _COMMA), expression=integer(len(_COMMA)))
    )
    parts = {
        "given": exp.Case(ifs=[exp.If(this=found(_COMMA), true=rest)], default=split(" ", 1)),
        "family": exp.Case(ifs=[exp.If(this=found(_COMMA), true=split(_COMMA, 1))], default=split(" ", -1)),
    }

    def joined(refs: Any) -> Any:
        given = first.sql(refs["given"], gender, dialect, "g")
        family = last.sql(refs["family"], gender, dialect, "l")

        def named(names: Any) -> Any:
            commas = dialect.concat(names["l"], text(_COMMA), names["g"])
            words = dialect.concat(names["g"].copy(), text(" "), names["l"].copy())
            ifs = [exp.If(this=found(_COMMA), true=commas), exp.If(this=found(" "), true=words)]
            return exp.Case(ifs=ifs, default=names["g"].copy())

        return dialect.let_all({"g": given, "l": family}, named)

    return dialect.let_all(parts, joined)
