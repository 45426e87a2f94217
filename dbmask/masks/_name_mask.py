"""What first_name, last_name and full_name share: parameters, and one masked part of a name in Python and SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from dbmask.errors import BindError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._names import FEMALE, LOCALES, MALE, Book, Table, book, builtin, cased, read_file, stem, stem_sql
from dbmask.masks._rows import RowBound
from dbmask.masks.base import Bound, Columns, KeyedMask, Promises
from dbmask.masks.build import FileName
from dbmask.schema import Column, Kind
from dbmask_sql.canonical import canonical_text, utf8_bytes
from dbmask_sql.casing import lower

if TYPE_CHECKING:
    from dbmask_sql.dialects import Dialect
    from dbmask_sql.dialects.base import E

__all__ = ["NameMask", "Part", "bind_one", "gender_of", "gender_sql"]

_WORD = 15  # hex digits of a PRF word, as dbmask_sql.dialects.base.WORD_DIGITS


@dataclass(frozen=True)
class Part:
    """A first or a last name, masked under its family's key."""

    key: ColumnKey
    table: Table
    length: int | None

    def _book(self, gender: str | None) -> Book:
        return book(self.table, gender).fitted(self.length)

    def books(self, by_column: bool) -> dict[str | None, Book]:
        """Books by gender; only the one that goes by the name itself where no column tells. Raises BindError where no names fit."""
        return {g: self._book(g) for g in ((None, "m", "f") if by_column else (None,))}

    def python(self, by_column: bool) -> Callable[[str, str | None], str]:
        """The function from a name and its bearer's gender (m, f, None) to the masked name."""
        books = self.books(by_column)

        def masked(value: str, gender: str | None) -> str:
            folded = lower(value)
            text = stem(folded) if self.table.czech else folded
            word = int(self.key.prf(utf8_bytes(text)).hex()[:_WORD], 16)
            return cased(value, folded, books[gender].choose(folded, word))

        return masked

    def fits(self, by_column: bool, dialect: Dialect) -> bool:
        """Whether the dialect can say it in SQL that is worth planning."""
        # SQLite's form would call into Python several times for each row.
        able = dialect.names_values and dialect.name != "sqlite"
        return able and all(b.fits(dialect) for b in self.books(by_column).values())

    def sql(self, value: E, gender: E | None, dialect: Dialect, prefix: str) -> E:
        """The same in SQL, where it fits; ``gender`` is the column's text in lower case, ``prefix`` sets its names apart."""
        from sqlglot import exp

        books = self.books(gender is not None)
        names = {n: prefix + n for n in "fuwcg"}

        def changed(text: E, up: bool) -> E:
            return cast("E", dialect.change_case(text, up))

        def picked(folded: E, word: E, told: E | None) -> E:
            plain = books[None].sql(folded, word, dialect)
            if told is None:
                return plain
            ifs = [
                exp.If(this=dialect.one_of(told.copy(), words), true=books[sign].sql(folded, word, dialect))
                for sign, words in (("m", MALE), ("f", FEMALE))
            ]
            return exp.Case(ifs=ifs, default=plain)

        def named(chosen: E, folded: E, raised: E) -> E:
            given = value.copy()
            no_case = dialect.compare(exp.EQ, folded.copy(), raised.copy())
            all_up = exp.And(
                this=dialect.compare(exp.EQ, given, raised.copy()),
                expression=exp.GT(this=dialect.length(value.copy()), expression=exp.Literal.number(1)),
            )
            all_down = dialect.compare(exp.EQ, value.copy(), folded.copy())
            return exp.Case(
                ifs=[
                    exp.If(this=no_case, true=chosen.copy()),
                    exp.If(this=all_up, true=changed(chosen.copy(), True)),
                    exp.If(this=all_down, true=changed(chosen.copy(), False)),
                ],
                default=chosen.copy(),
            )

        def with_word(refs: Any, word: E) -> E:
            folded = refs[names["f"]]
            made = picked(folded, word, refs.get(names["g"]))
            return cast("E", dialect.let(made, lambda c: named(c, folded, refs[names["u"]]), names["c"]))

        def with_case(refs: Any) -> E:
            text = stem_sql(refs[names["f"]], dialect) if self.table.czech else refs[names["f"]].copy()
            word = dialect.prf_word(text, self.key.name)
            return cast("E", dialect.let(word, partial(with_word, refs), names["w"]))

        first = {names["f"]: changed(value.copy(), False), names["u"]: changed(value.copy(), True)}
        if gender is not None:
            first[names["g"]] = gender
        return cast("E", dialect.let_all(first, with_case))


@dataclass(frozen=True, kw_only=True)
class NameMask(KeyedMask):
    """Parameters of the masks of names."""

    usages: ClassVar[tuple[str, ...]] = ()

    locale: Literal["en", "cs", "fr"] = "en"
    gender: str | None = None
    names: FileName | None = None

    def __post_init__(self) -> None:
        if self.names is not None and self.names.startswith("builtin:"):
            if self.names[8:] not in LOCALES:
                raise ValueError(f"names is a file or one of builtin:{', builtin:'.join(LOCALES)}")
            return
        for usage in self.usages:
            self._table(usage)

    def _table(self, usage: str) -> Table:
        if self.names is None or self.names.startswith("builtin:"):
            return builtin(self.names[8:] if self.names else self.locale, usage)
        return read_file(self.names, usage, self.locale == "cs")

    def part(self, usage: str, keys: KeyRing, length: int | None) -> Part:
        """One part of a name, the same whichever mask it stands in. Raises KeySourceError where the run has no key."""
        family = f"{usage}_name"
        key = keys.column(self.domain or family).sub(family)
        return Part(key, self._table(usage), length)

    def check(self, columns: Columns) -> None:
        """Raises BindError where the column is not of text."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(
                f"{self.name} makes text, and the column is {type_}", "use fixed or null, or keep the column"
            )

    def told_by(self, columns: Columns) -> Column | None:
        """The column of genders, if there is one. Raises BindError where it is missing or cannot be read."""
        if self.gender is None:
            return None
        found = columns.other(self.gender, "gender")
        if found.type.kind not in (Kind.TEXT, Kind.ENUM, Kind.INTEGER):
            raise BindError(f"`gender` names a column of {found.type}", "it must hold text, an enum or integers")
        return found


def gender_of(column: Column | None) -> Callable[..., str | None]:
    """The function from a column's value to m, f or None."""
    if column is None:
        return lambda: None
    text = canonical_text(column.type.kind, column.type.padded)
    known = {**dict.fromkeys(MALE, "m"), **dict.fromkeys(FEMALE, "f")}
    return lambda value: None if value is None else known.get(lower(text(value)))


def gender_sql(column: Column, value: E, dialect: Dialect) -> E | None:
    """The column's text in lower case."""
    text = dialect.canonical(value.copy(), column.type.kind, column.type.padded)
    return None if text is None else dialect.change_case(text, False)


def bind_one(mask: NameMask, usage: str, columns: Columns, keys: KeyRing) -> Bound:
    """A mask of one part of a name, bound. Raises BindError."""
    mask.check(columns)
    type_ = columns.target.type
    told = mask.told_by(columns)
    part = mask.part(usage, keys, type_.length)
    masked, gender = part.python(told is not None), gender_of(told)

    def expression(exprs: Sequence[Any], dialect: Any) -> Any:
        known = None if told is None else gender_sql(told, exprs[1], dialect)
        if not part.fits(told is not None, dialect) or (told is not None and known is None):
            return None
        return part.sql(exprs[0], known, dialect, "")

    promises = Promises(
        type=type_,
        value_only=told is None,
        keyed=True,
        outcomes=max(b.outcomes for b in part.books(told is not None).values()),
        unchanged=0.0,
    )
    others = () if told is None else (told,)
    return RowBound.of(mask, columns, others, promises, lambda v, *o: masked(str(v), gender(*o)), expression)
