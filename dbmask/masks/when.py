"""when: one mask or another, by what other columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, WithJsonSchema

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._conditions import BoundCondition, Condition, read_condition
from dbmask.masks._parts import bind_part, inputs_of, narrow, of_part, sql_of_part
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import InnerMask
from dbmask.schema import ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["When"]

_SCHEMA = {
    "description": "`{column: NAME, equals: VALUE}`, or `and`, `or`, `not` of such conditions, or a list (all of them)."
}
_STAFF: dict[str, Any] = {"if": {"column": "role", "equals": "staff"}, "then": "keep", "else": "redact"}
_MINOR: dict[str, Any] = {
    "if": {"or": [{"column": "age", "less_than": 18}, {"column": "age", "is_null": True}]},
    "then": {"mask": "fixed", "value": "minor"},
    "else": "keep",
}
_AGE = {"age": ColumnType(Kind.INTEGER, "integer", bits=32)}
_CODE: dict[str, Any] = {
    "if": {"not": {"column": "code", "matches": "^[A-Z]{2}[0-9]+$"}},
    "then": "null",
    "else": "keep",
}


@dataclass(frozen=True, kw_only=True)
class When(Mask):
    """``then`` where the row meets the condition ``if``, else ``else``, which must be written: ``else: keep`` where others shall stay.

    Conditions are ``equals``, ``in``, ``matches``, ``less_than``, ``greater_than`` and ``is_null`` of a ``column``,
    joined by ``and``, ``or`` and ``not``; they see original values. Texts are compared by code points.
    """

    name: ClassVar[str] = "when"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "Alice", _STAFF, row={"role": "staff"}),
        Case("Alice", "*****", _STAFF, row={"role": "Staff"}),
        Case("Alice", "*****", _STAFF, row={"role": "staff "}),
        Case("Alice", "*****", _STAFF, row={"role": None}),
        Case("Alice", "minor", _MINOR, row={"age": 17}, types=_AGE),
        Case("Alice", "minor", _MINOR, row={"age": None}, types=_AGE),
        Case("Alice", "Alice", _MINOR, row={"age": 18}, types=_AGE),
        Case("Alice", "Alice", _CODE, row={"code": "CZ12"}),
        Case("Alice", None, _CODE, row={"code": "CZ12\n"}),
        Case(None, None, _STAFF, row={"role": "x"}),
    )

    if_: Annotated[Condition, PlainValidator(read_condition), WithJsonSchema(_SCHEMA), Field(alias="if")]
    then: InnerMask
    else_: Annotated[InnerMask, Field(alias="else")]

    def __post_init__(self) -> None:
        narrow(self, (self.then, self.else_))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit where both masks fit and give the same kind of value, and the condition's columns are there. Raises BindError."""
        parts = bind_part(self.then, columns, keys, self.name), bind_part(self.else_, columns, keys, self.name)
        condition = self.if_.bind(columns)
        yes, no = (p.promises for p in parts)
        if yes.type.kind is not no.type.kind:
            raise BindError(
                f"`then` gives {yes.type.kind} and `else` {no.type.kind}", "use masks that give the same kind of value"
            )
        lengths = (yes.type.length, no.type.length)
        target = columns.target.name
        promises = Promises(
            type=no.type if None not in lengths and max(n or 0 for n in lengths) == no.type.length else yes.type,
            value_only=yes.value_only and no.value_only and condition.columns == (target,),
            total=yes.total and no.total,
            keyed=yes.keyed or no.keyed,
            unchanged=max(yes.unchanged, no.unchanged),
            warnings=tuple(dict.fromkeys((*yes.warnings, *no.warnings))),
        )
        return _Either(target, condition, parts, promises)


@dataclass(frozen=True)
class _Either(Reporting):
    """Two bound masks and a condition."""

    target: str
    condition: BoundCondition
    parts: tuple[Bound, Bound]
    promises: Promises

    def within(self) -> Sequence[Bound]:
        return self.parts

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self.target, self.parts, self.condition.columns)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        named = dict(zip(self.inputs, columns, strict=True))
        rows = zip(*(named[name] for name in self.condition.columns), strict=True)
        met = [self.condition.test(dict(zip(self.condition.columns, row, strict=True))) for row in rows]
        made: list[Any] = [None] * len(met)
        for part, side in zip(self.parts, (True, False), strict=True):
            where = [i for i, m in enumerate(met) if m is side]
            # Each mask is given its own rows alone: what it cannot mask elsewhere is none of its business.
            for i, value in zip(
                where, of_part(part, {n: [c[i] for i in where] for n, c in named.items()}), strict=True
            ):
                made[i] = value
        return [made]

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        from sqlglot import exp

        named = dict(zip(self.inputs, exprs, strict=True))
        made = [sql_of_part(part, named, dialect) for part in self.parts]
        if made[0] is None or made[1] is None:
            return None
        condition = self.condition.sql(named, dialect)
        return [exp.Case(ifs=[exp.If(this=condition, true=made[0])], default=made[1])]
