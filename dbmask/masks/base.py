"""The contract that every mask stands on, from ``redact`` to the anonymizer.

A mask is a frozen dataclass whose fields are the policy's parameters. Bound to columns and keys it becomes a
:class:`Bound`: the inputs it reads, the outputs it writes, a batch form in Python, a form in SQL where one can be
shown to give the same bytes, and what it promises.

Most masks read one value and write one: they return :meth:`ValueMask.bound` with a function and an expression, and
null, empty and repeated values are looked after here.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dbmask.errors import BindError, DbmaskError, MaskError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._constants import as_constant, constant_sql
from dbmask.schema import Column, ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = [
    "Bound",
    "Case",
    "Columns",
    "KeyedMask",
    "Mask",
    "Promises",
    "ValueBound",
    "ValueMask",
    "nearest",
    "promises_of",
]


@dataclass(frozen=True)
class Promises:
    """What a bound mask promises, whatever it is given.

    ``value_only``: the result depends on nothing but the value (and key): what a referenced key column needs.
    ``injective``: different values never give the same result. ``total``: no value makes it raise.
    ``type``: what comes out. ``outcomes``: how many results there are where it is not injective, for the expected
    number of collisions. ``unchanged``: the largest share of rows that may stay equal; 0 where none may (but for
    nulls and empty texts), 1 where nothing is promised. ``keyed``: it needs a key. ``budget``: the differential privacy
    (epsilon, delta) that each run spends on a row's value. ``permutes``: over a whole column the same values come out,
    each as often, so that unique ones stay unique. ``folded``: values that the column's own, looser equality holds equal
    get results that it holds equal.
    """

    type: ColumnType
    value_only: bool = True
    injective: bool = False
    total: bool = True
    keyed: bool = False
    outcomes: int | None = None
    unchanged: float = 1.0
    warnings: tuple[str, ...] = ()
    budget: tuple[float, float] | None = None
    permutes: bool = False
    folded: bool = False


class Bound(Protocol):
    """A mask on its columns.

    One whose attribute ``whole_column`` is true must be given all rows of a table in one call of apply.
    """

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns it reads, in the order in which apply and sql take them."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns it writes; empty where the column is dropped or filled by the database."""
        ...

    @property
    def promises(self) -> Promises:
        """What holds for every value."""
        ...

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask a batch: one list per input in, one list per output out, all of one length. Raises MaskError."""
        ...

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """One expression per output, or None where this database cannot be shown to give the same bytes."""
        ...


def promises_of(bound: Bound, output: str) -> Promises:
    """What holds of one output: masks over several columns may say it of ``each``; the promises of others hold for all."""
    each: Mapping[str, Promises] = getattr(bound, "each", {})
    return each.get(output, bound.promises)


def nearest(name: str, legal: Sequence[str]) -> str:
    """A hint that names the nearest legal name, or lists them where there are few."""
    close = [n for n in legal if n.casefold() == name.casefold()] or difflib.get_close_matches(
        name, legal, n=1, cutoff=0.6
    )
    if close:
        return f"did you mean {close[0]}?"
    return f"there are: {', '.join(sorted(legal))}" if len(legal) <= 12 else ""


@dataclass(frozen=True)
class Columns:
    """What a mask is bound to: the columns it stands on and the rest of their table.

    ``targets`` is one column for most; ``available`` holds every column of the table by name; ``row_key`` is the
    primary key's columns (empty where there is none); ``rows`` is the estimated row count, where known.
    """

    targets: tuple[Column, ...]
    available: Mapping[str, Column] = field(default_factory=dict)
    row_key: tuple[str, ...] = ()
    table: str = ""
    rows: int | None = None

    @property
    def target(self) -> Column:
        """The one column that the mask stands on."""
        return self.targets[0]

    def other(self, name: str, parameter: str) -> Column:
        """Another column of the table, named by ``parameter`` of the mask. Raises BindError where there is none."""
        found = self.available.get(name)
        if found is None:
            raise BindError(
                f"`{parameter}` names column {name!r}, which the table does not have",
                nearest(name, list(self.available)),
            )
        return found

    def retyped(self, type_: ColumnType) -> Columns:
        """The same columns with the target holding ``type_``: what the next mask of a chain sees."""
        return replace(self, targets=(replace(self.target, type=type_), *self.targets[1:]))


@dataclass(frozen=True)
class Case:
    """One documented example: ``given`` becomes ``expected`` under ``params``, on a column of ``type``; ``row`` holds other columns.

    Keyed masks are shown under the key of :func:`dbmask.masks.build.example_keys`, which makes each case a known
    answer that would show any later change of a masked value.
    """

    given: Any
    expected: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    type: ColumnType = field(default_factory=lambda: ColumnType(Kind.TEXT, "text"))
    row: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, ColumnType] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mask(ABC):
    """A mask with its parameters, before it is bound. Subclasses are frozen dataclasses with a ``name`` and ``cases``."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    cases: ClassVar[tuple[Case, ...]] = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}
    profiles: ClassVar[frozenset[str]] = frozenset({"clone", "view", "inline", "file", "spark"})

    @abstractmethod
    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand on columns. Raises BindError where the mask does not fit them."""


@dataclass(frozen=True, kw_only=True)
class ValueMask(Mask):
    """A mask from one value to one value. Null stays null and empty stays empty unless ``on_null``/``on_empty`` say otherwise."""

    on_null: str | int | float | bool | None = None
    on_empty: str | None = None

    def bound(
        self,
        columns: Columns,
        promises: Promises,
        python: Callable[[Any], Any],
        sql: Callable[[exp.Expression, Dialect], exp.Expression | None] | None = None,
        keeps_empty: bool = False,
    ) -> ValueBound:
        """A Bound over the target from a function of one non-null, non-empty value and, where there is one, its SQL form.

        Both forms are given texts without char(n)'s padding; the SQL form is given them compared by code points.
        ``keeps_empty`` says that the SQL form itself makes the empty text of the empty text.
        Raises BindError where what comes out, or what stands for null or empty, does not fit the column.
        """
        made, column = promises.type, columns.target.type
        if made.is_text and column.is_text and column.length is not None and (made.length or 0) > column.length:
            raise BindError(
                f"{self.name} gives up to {made.length} characters, and the column is {column}",
                f"cut it with `chain` and a `substring` with `end_index: {column.length}`",
            )
        fixed = (
            None if self.on_null is None else as_constant(self.on_null, replace(made, length=column.length), "on_null")
        )
        if self.on_empty is not None:
            as_constant(self.on_empty, replace(made, length=column.length), "on_empty")
        if self.on_null is not None or self.on_empty is not None:
            promises = replace(promises, injective=False)
        return ValueBound(
            column=columns.target,
            promises=promises,
            python=python,
            expression=sql,
            on_null=fixed,
            on_empty=self.on_empty,
            label=f"{columns.table}.{columns.target.name}: {self.name}",
            keeps_empty=keeps_empty,
        )


@dataclass(frozen=True, kw_only=True)
class KeyedMask(ValueMask):
    """A mask that draws from the key. ``domain`` separates it from, or joins it with, other masks; by default its name."""

    domain: str | None = None
    family: ClassVar[str] = ""

    def key(self, keys: KeyRing) -> ColumnKey:
        """The column key of this mask's domain. Raises KeySourceError where the run has no key."""
        return keys.column(self.domain or self.family or self.name)


def read_text(value: Any, type_: ColumnType) -> Any:
    """What a mask reads where a column of texts holds ``value``: char(n) without its padding, and no bytes."""
    if isinstance(value, bytes):  # SQLite's text columns may hold them
        value = value.decode("utf-8", "surrogateescape")
    return value.rstrip(" ") if type_.padded and isinstance(value, str) else value


@dataclass(frozen=True)
class ValueBound:
    """A Bound over one column, made of a function and an expression of one value."""

    column: Column
    promises: Promises
    python: Callable[[Any], Any]
    expression: Callable[[exp.Expression, Dialect], exp.Expression | None] | None = None
    on_null: Any = None
    on_empty: Any = None
    label: str = ""
    keeps_empty: bool = False
    stays: Callable[[Any], float] | None = None
    """The probability, over keys, that the mask gives a value back as it was: what verification allows. None where it is not known."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column.name,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The same column."""
        return (self.column.name,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask each distinct value once. Raises MaskError."""
        values = columns[0]
        try:
            return [self._repeated(values) if _one_type(values) else [self._one(v) for v in values]]
        except DbmaskError:
            raise
        except Exception as error:
            # The exception's text may quote the value; only its type is passed on.
            raise MaskError(f"{self.label}: a value could not be masked ({type(error).__name__})") from None

    def _repeated(self, values: list[Any]) -> list[Any]:
        left = set(values)
        memo: dict[Any, Any] = {v: self._one(v) for v in (None, "") if v in left}
        left.difference_update(memo)
        altered = self._reads_text and (self.column.type.padded or any(isinstance(v, bytes) for v in left))
        memo.update(zip(left, map(self._one if altered else self.python, left), strict=True))
        return list(map(memo.__getitem__, values))

    def _one(self, value: Any) -> Any:
        if value is None:
            return self.on_null
        if self._reads_text:
            value = read_text(value, self.column.type)
        if value == "" and isinstance(value, str):
            return "" if self.on_empty is None else self.on_empty
        return self.python(value)

    @property
    def _reads_text(self) -> bool:
        return self.column.type.kind in (Kind.TEXT, Kind.ENUM)

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """The expression, with null and empty looked after."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import text

        if self.expression is None:
            return None
        given = exprs[0]
        value = dialect.plain(given.copy(), self.column.type.padded) if self._reads_text else given
        made = self.expression(value, dialect)
        if made is None:
            return None
        if made is value and self.on_null is None and self.on_empty is None:
            return [given]  # kept as it is
        ifs = []
        if self.on_null is not None:
            null = exp.Is(this=given.copy(), expression=exp.Null())
            ifs.append(exp.If(this=null, true=constant_sql(self.on_null, self.promises.type.kind, dialect)))
        if self.column.type.kind is Kind.TEXT and not (self.keeps_empty and not self.on_empty):
            ifs.append(exp.If(this=dialect.is_empty(value.copy()), true=text(self.on_empty or "")))
        return [exp.Case(ifs=ifs, default=made) if ifs else made]


def _one_type(values: list[Any]) -> bool:
    """Whether equal values are surely the same value: 1, 1.0 and True are equal in Python and not to a mask."""
    kinds = set(map(type, values)) - {type(None)}
    return len(kinds) <= 1 and all(k.__hash__ is not None for k in kinds)
