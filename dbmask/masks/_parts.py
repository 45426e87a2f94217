"""What composite masks share: several bound masks over one column, joined into one Bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Columns, Mask, Promises
from dbmask.schema import ColumnType

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Absent", "Chain", "bind_chain", "bind_part", "inputs_of", "narrow", "of_part", "sql_of_part"]


@dataclass(frozen=True)
class Absent:
    """A Bound that reads and writes nothing, of a column that is dropped or filled by the database."""

    promises: Promises
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """No columns."""
        return []

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """No expressions."""
        return []


def bind_part(mask: Mask, columns: Columns, keys: KeyRing, owner: str) -> Bound:
    """Bind an inner mask of ``owner``. Raises BindError where it does not fit, or writes other columns than its own."""
    if "file" not in mask.profiles:
        raise BindError(
            f"{mask.name} cannot stand inside {owner}", "it runs in a database alone: let it stand by itself"
        )
    bound = mask.bind(columns, keys)
    if bound.outputs != (columns.target.name,):
        raise BindError(f"{mask.name} cannot stand inside {owner}", "it does not give one value for one value")
    if getattr(bound, "whole_column", False) and owner != "chain":
        raise BindError(f"{mask.name} cannot stand inside {owner}", "it needs the whole column")
    return bound


def narrow(owner: Mask, inner: Sequence[Mask]) -> None:
    """Let a composite mask run only where all its inner masks may."""
    shared = frozenset.intersection(owner.profiles, *(m.profiles for m in inner))
    object.__setattr__(owner, "profiles", shared)


def inputs_of(target: str, parts: Sequence[Bound], others: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns that some parts read: the target first, then each other once."""
    return tuple(dict.fromkeys([target, *others, *(name for part in parts for name in part.inputs)]))


def of_part(part: Bound, named: dict[str, list[Any]]) -> list[Any]:
    """A part's output for columns by name."""
    return part.apply([named[name] for name in part.inputs])[0]


def sql_of_part(part: Bound, named: dict[str, exp.Expression], dialect: Dialect) -> exp.Expression | None:
    """A part's expression for columns' expressions by name."""
    made = part.sql([named[name].copy() for name in part.inputs], dialect)
    if made is None:
        return None
    # Texts of several columns, and literals, meet in one character set and collation.
    return dialect.plain(made[0]) if part.promises.type.is_text else made[0]


@dataclass(frozen=True)
class Chain(Reporting):
    """Bound masks one after the other on one column; ``cut`` is the length to which the result is cut."""

    target: str
    parts: tuple[Bound, ...]
    promises: Promises
    cut: int | None = None

    @property
    def whole_column(self) -> bool:
        """Whether a part needs the whole column."""
        return any(getattr(part, "whole_column", False) for part in self.parts)

    def within(self) -> Sequence[Bound]:
        """Its masks."""
        return self.parts

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column, and what its parts read beside it."""
        return inputs_of(self.target, self.parts)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The column."""
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Each mask sees what the one before it gave, and other columns as they were. Raises MaskError."""
        named = dict(zip(self.inputs, columns, strict=True))
        for part in self.parts:
            named[self.target] = of_part(part, named)
        made = named[self.target]
        return [made if self.cut is None else [v[: self.cut] if isinstance(v, str) else v for v in made]]

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """The expressions nested, each computed once where the database can name values."""
        named = dict(zip(self.inputs, exprs, strict=True))
        if any(sql_of_part(part, named, dialect) is None for part in self.parts):
            return None

        def step(i: int, value: exp.Expression) -> exp.Expression:
            made = sql_of_part(self.parts[i], {**named, self.target: value}, dialect)
            assert made is not None  # noqa: S101 - seen above
            if i + 1 < len(self.parts):
                return dialect.shared(made, lambda v: step(i + 1, v), dialect.fresh(f"c{i}", made))
            return made if self.cut is None else dialect.substr(made, 1, self.cut)

        return [step(0, named[self.target])]


def bind_chain(masks: Sequence[Mask], columns: Columns, keys: KeyRing, owner: str) -> Chain:
    """Bind masks one after the other; a text that may be too long for the column is cut to it. Raises BindError."""
    limit = columns.target.type.length if columns.target.type.is_text else None
    seen = before = columns
    parts = []
    for i, mask in enumerate(masks):
        before = seen
        # Only the last result must fit the column; what is on the way may be longer.
        free = _unlimited(seen.target.type) if i + 1 < len(masks) else _limited(seen.target.type, limit)
        part = bind_part(mask, seen.retyped(free), keys, owner)
        parts.append(part)
        made = part.promises.type
        seen = seen.retyped(seen.target.type if made == free else made)  # a mask that keeps the type keeps the length
    last = seen.target.type
    cut = limit if limit is not None and last.is_text and (before.target.type.length or limit + 1) > limit else None
    kind = columns.target.type.kind
    if last.kind is not kind:
        raise BindError(
            f"{owner} gives {last.kind}, and the column is {columns.target.type}",
            f"end it with a mask that gives {kind}",
        )
    # What a chain copies from elsewhere and then masks needs no warning.
    quiet = [
        replace(p.promises, warnings=()) if m.name == "from_column" else p.promises
        for m, p in zip(masks[:-1], parts[:-1], strict=True)
    ]
    promises = _joined([*quiet, parts[-1].promises], replace(last, length=cut) if cut else last, cut)
    return Chain(columns.target.name, tuple(parts), promises, cut)


def _unlimited(type_: ColumnType) -> ColumnType:
    return replace(type_, length=None) if type_.is_text and not type_.padded else type_


def _limited(type_: ColumnType, limit: int | None) -> ColumnType:
    return replace(type_, length=limit) if type_.is_text else type_


def _joined(all_of: Sequence[Promises], type_: ColumnType, cut: int | None) -> Promises:
    outcomes = [p.outcomes for p in all_of if p.outcomes is not None]
    return Promises(
        type=type_,
        value_only=all(p.value_only for p in all_of),
        injective=all(p.injective for p in all_of) and cut is None,
        total=all(p.total for p in all_of),
        keyed=any(p.keyed for p in all_of),
        outcomes=min(outcomes, default=None),
        # Masks do not undo one another: what one has changed stays changed.
        unchanged=min(p.unchanged for p in all_of),
        warnings=tuple(dict.fromkeys(w for p in all_of for w in p.warnings)),
    )
