"""A rule's mask on the values of records, whatever types they come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbmask.errors import BindError, KeySourceError, MaskError, Problem
from dbmask.files.json_text import document, dumps
from dbmask.files.numbers import NumberText, as_number
from dbmask.files.rules import Rule, RulesError
from dbmask.keys import KeyRing
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Columns
from dbmask.schema import Column, ColumnType, Kind

__all__ = ["JSON", "NUMBER", "TEXT", "RuleBound", "refusal"]

TEXT = ColumnType(Kind.TEXT, "VARCHAR")
JSON = ColumnType(Kind.JSON, "JSON")
NUMBER = ColumnType(Kind.OTHER, "number")
_BY_TYPE: dict[type, ColumnType] = {
    str: TEXT,
    int: ColumnType(Kind.INTEGER, "BIGINT", bits=64),
    float: ColumnType(Kind.FLOAT, "DOUBLE", bits=64),
    bool: ColumnType(Kind.BOOLEAN, "BOOLEAN"),
    dict: JSON,
    list: JSON,
}


def refusal(mask: str) -> str:
    """What is said of a value that a mask cannot take; never the value."""
    if mask == "noise":
        return "noise needs a number, and this is none (write `on_invalid: null` to let such values go)"
    return f"{mask} cannot mask this value"


class RuleBound(Reporting):
    """A rule bound to the types of the values that it meets. Raises RulesError where no type of value suits the mask."""

    def __init__(self, rule: Rule, keys: KeyRing) -> None:
        self.rule = rule
        self._keys = keys
        self._by_type: dict[ColumnType, Bound] = {}
        self._classic: Bound | None = None
        self.warnings: tuple[str, ...] = ()
        if rule.drops or rule.keeps:
            return
        if rule.classic:
            self._classic = self._bind(NUMBER if rule.mask.name == "noise" else TEXT)
            self.warnings = self._classic.promises.warnings
        else:
            self._check()

    @property
    def refusal(self) -> str:
        """What is said of a value that the mask cannot take."""
        return refusal(self.rule.mask.name)

    def within(self) -> Sequence[Bound]:
        """The mask as it is bound to each type."""
        return tuple(self._by_type.values())

    def apply(self, values: list[Any]) -> list[Any]:
        """Mask the values. Raises MaskError."""
        if self._classic is None:
            return self._natively(values)
        if self.rule.mask.name == "noise":
            return self._classic.apply([[as_number(v) for v in values]])[0]
        return self._classic.apply([[_shown(v) for v in values]])[0]

    def _natively(self, values: list[Any]) -> list[Any]:
        """A mask of policies: each value as a column of its own type would be masked."""
        kinds = {type(v) for v in values if v is not None}
        if len(kinds) <= 1:
            return self._typed(kinds.pop() if kinds else str, values)
        return [self._typed(type(v) if v is not None else str, [v])[0] for v in values]

    def _typed(self, kind: type, values: list[Any]) -> list[Any]:
        if kind is NumberText:
            kind, values = float, [None if v is None else float(v) for v in values]
        type_ = _BY_TYPE.get(kind)
        if type_ is None:
            raise MaskError(f"{self.rule.mask.name} cannot mask a value of this type")
        try:
            if type_ is JSON:
                texts = [None if v is None else dumps(v) for v in values]
                return [document(made) for made in self._bind(type_).apply([texts])[0]]
            return self._bind(type_).apply([values])[0]
        except BindError:
            raise MaskError(f"{self.rule.mask.name} cannot mask a value of this type") from None

    def _bind(self, type_: ColumnType) -> Bound:
        if type_ not in self._by_type:
            column = Column(self.rule.path, type_)
            made = self.rule.mask.bind(Columns((column,), {column.name: column}), self._keys)
            if made.outputs != (column.name,) or made.inputs != (column.name,):
                raise BindError(f"{self.rule.mask.name} reads or writes other fields, which rules cannot name")
            if getattr(made, "whole_column", False):
                raise BindError(f"{self.rule.mask.name} needs a whole table: use a policy")
            self._by_type[type_] = made
        return self._by_type[type_]

    def _check(self) -> None:
        refused: BindError | None = None
        for type_ in _BY_TYPE.values():
            try:
                self.warnings = self._bind(type_).promises.warnings
                return
            except BindError as error:
                refused = refused or error
            except KeySourceError as error:
                raise RulesError([Problem(self.rule.where, f"{self.rule.path}: {error}")]) from None
        if refused is not None:
            raise RulesError([Problem(self.rule.where, f"{self.rule.path}: {refused.what}", refused.hint)])


def _shown(value: Any) -> str | None:
    return value if value is None or type(value) is str else str(value)
