"""generalize: brackets, years, months, places instead of values."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._brackets import Bins, Steps, floor_bound
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask
from dbmask.schema import ColumnType, Kind
from dbmask_sql.patterns import drop_parts
from dbmask_sql.temporal import date_floor

__all__ = ["Generalize"]

_INT = ColumnType(Kind.INTEGER, "integer", bits=32)
_TINY = ColumnType(Kind.INTEGER, "tinyint", bits=8)
_DECIMAL = ColumnType(Kind.DECIMAL, "numeric(9,2)", precision=9, scale=2)
_DATE = ColumnType(Kind.DATE, "date")
_STAMP = ColumnType(Kind.TIMESTAMP, "timestamp")
_ZONED = ColumnType(Kind.TIMESTAMPTZ, "timestamptz")
_LATE = dt.datetime(1996, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
_FLOAT = ColumnType(Kind.FLOAT, "double precision")
_SHORT = ColumnType(Kind.TEXT, "varchar(6)", length=6)
_SCORES: dict[str, Any] = {"bins": [0, 50, 70, 90, 100]}
_FLOOR: dict[str, Any] = {"step": 10, "method": "floor"}

_DAY = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = "(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
_ISO = _DAY + _CLOCK
"""ISO 8601 dates that the calendar has, with or without a time of day; the year 0000 is refused beside it."""
_NO_YEAR = "0000"
_DATES = {"date_year": 4, "date_month": 7}


@dataclass(frozen=True, kw_only=True)
class Generalize(ValueMask):
    """Values in wider categories.

    Numbers: ``step: 10`` gives ``20-30``, ``bins: [0, 18, 65]`` half-open brackets, ``<0`` and ``>=65`` at the ends; ``method: floor``
    gives the lower bound, and is what fits a numeric column. ISO dates in texts: ``method: date_year`` and ``date_month``. Date columns:
    ``method: floor`` with ``step: year``, ``month`` or ``day``. Places: ``depth: 1`` drops the first of the parts between commas. What
    cannot be generalized, or does not fit the column, becomes ``default``.
    """

    name: ClassVar[str] = "generalize"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("27", "20-30", {"step": 10}),
        Case("-3", "-10-0", {"step": 10}),
        Case("0.7", "0.5-1", {"step": 0.5}),
        Case("7", "5-7.5", {"step": 2.5}),
        Case("abc", "Others", {"step": 10}),
        Case("a,b", "?", {"step": 10, "default": "?"}),
        Case(None, None, {"step": 10}),
        Case("", "", {"step": 10}),
        Case("123456", "Others", {"step": 10}, _SHORT),
        Case("87", "70-90", _SCORES),
        Case("100", ">=100", _SCORES),
        Case("-1", "<0", _SCORES),
        Case("87", "70", {**_SCORES, "method": "floor"}),
        Case("27", "20", _FLOOR),
        Case(27, 20, _FLOOR, _INT),
        Case(-128, -128, {"step": 100, "method": "floor"}, _TINY),
        Case(12, 0, {"bins": [0, 18, 65], "method": "floor"}, _INT),
        Case(-5, 0, {"bins": [0, 18, 65], "method": "floor"}, _INT),
        Case(Decimal("27.35"), Decimal("27.25"), {"step": 0.25, "method": "floor"}, _DECIMAL),
        Case(27.5, 20.0, _FLOOR, _FLOAT),
        Case(1e300, 0.0, _FLOOR, _FLOAT),
        Case(0.5, 0.0, {"bins": [0, 0.75], "method": "floor"}, _FLOAT),
        Case(dt.date(1995, 6, 15), dt.date(1995, 1, 1), {"step": "year", "method": "floor"}, _DATE),
        Case(dt.date(1995, 6, 15), dt.date(1995, 6, 1), {"step": "month", "method": "floor"}, _DATE),
        Case(dt.datetime(1995, 6, 15, 10, 30), dt.datetime(1995, 6, 15), {"step": "day", "method": "floor"}, _STAMP),
        Case(_LATE, dt.datetime(1995, 1, 1, tzinfo=dt.UTC), {"step": "year", "method": "floor"}, _ZONED),
        Case("1995-06-15", "1995", {"method": "date_year"}),
        Case("2024-03-15T10:00:00", "2024-03", {"method": "date_month"}),
        Case("2023-02-29", "Others", {"method": "date_year"}),
        Case("2024-03", "Others", {"method": "date_year"}),
        Case("New York,USA,Home", "USA, Home", {"depth": 1}),
        Case("a,b,c", "Others", {"depth": 3}),
        Case("1 Rue X , Paris,France", "France", {"depth": 2}),
    )

    step: int | float | Literal["year", "month", "day"] | None = None
    bins: Annotated[tuple[int | float, ...], Field(min_length=1)] | None = None
    method: Literal["range", "floor", "date_year", "date_month"] = "range"
    depth: Annotated[int, Field(ge=1, le=100)] | None = None
    default: str = "Others"

    def __post_init__(self) -> None:
        given = [name for name in ("step", "bins", "depth") if getattr(self, name) is not None]
        if self.method in _DATES:
            if given:
                raise ValueError(f"{given[0]} does not go with method: {self.method}")
        elif len(given) != 1:
            raise ValueError("give one of `step`, `bins` and `depth`, or `method: date_year` or `date_month`")
        if self.depth is not None and self.method != "range":
            raise ValueError("method does not go with depth")
        if isinstance(self.step, str) and self.method != "floor":
            raise ValueError(f"step: {self.step} goes with `method: floor`")
        self._rule()

    def _rule(self) -> Steps | Bins | None:
        if self.bins is not None:
            return Bins.of(self.bins)
        return Steps.of(self.step) if isinstance(self.step, int | float) else None

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit texts; with ``method: floor`` numbers, dates and timestamps too. Raises BindError on others."""
        type_ = columns.target.type
        if type_.is_text:
            return self._text(columns)
        rule = self._rule()
        if self.method == "floor" and type_.is_temporal and isinstance(self.step, str):
            return self._dates(columns, self.step)
        if self.method == "floor" and type_.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT) and rule is not None:
            python, sql = floor_bound(rule, type_, self.default)
            return self.bound(columns, Promises(type=type_), python, sql)
        raise BindError(f"generalize makes labels here, and the column is {type_}", _fitting(type_))

    def _dates(self, columns: Columns, part: str) -> Bound:
        type_ = columns.target.type

        def sql(value: Any, dialect: Any) -> Any:
            return dialect.date_floor(value, part, type_.kind)

        return self.bound(columns, Promises(type=type_), lambda v: date_floor(v, part), sql)

    def _text(self, columns: Columns) -> Bound:
        type_ = columns.target.type
        if isinstance(self.step, str):
            raise BindError(
                f"step: {self.step} needs a date column, and the column is {type_}",
                "use method: date_year or date_month",
            )
        limit = type_.length
        longest = _DATES.get(self.method, 1)
        if limit is not None and max(longest, len(self.default)) > limit:
            raise BindError(
                f"generalize gives {max(longest, len(self.default))} characters or more, and the column is {type_}",
                "set a shorter `default`, or use redact",
            )
        label, label_sql = self._labels()

        def python(value: Any) -> str:
            made = label(value)
            return self.default if made is None or (limit is not None and len(made) > limit) else made

        def sql(value: Any, dialect: Any) -> Any:
            from sqlglot import exp

            from dbmask_sql.dialects.base import call, integer, text

            made = label_sql(value, dialect)

            def fitted(known: Any) -> Any:
                fits = exp.LTE(this=dialect.length(known), expression=integer(limit or 0))
                return exp.Case(ifs=[exp.If(this=fits, true=known.copy())], default=text(self.default))

            if limit is None or self.method in _DATES:
                whole = call("COALESCE", made, text(self.default))
            else:
                whole = dialect.shared(made, fitted, dialect.fresh("g", made))
            there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
            return exp.Case(ifs=[exp.If(this=there, true=whole)])

        return self.bound(columns, Promises(type=replace(type_, padded=False)), python, sql)

    def _labels(self) -> tuple[Any, Any]:
        """A value's label, or None, in Python and in SQL."""
        rule = self._rule()
        if rule is not None:
            return rule.labels(self.method == "floor")
        if self.depth is not None:
            return _places(self.depth)
        length = _DATES[self.method]

        def python(value: Any) -> str | None:
            text = str(value)
            return text[:length] if _ISO_DATE.fullmatch(text) and not text.startswith(_NO_YEAR) else None

        def sql(value: Any, dialect: Any) -> Any:
            from sqlglot import exp

            from dbmask_sql.dialects.base import text

            year = exp.NEQ(this=dialect.substr(value.copy(), 1, 4), expression=text(_NO_YEAR))
            valid = exp.And(this=dialect.matches(value, _ISO), expression=year)
            return exp.Case(ifs=[exp.If(this=valid, true=dialect.substr(value.copy(), 1, length))])

        return python, sql


_ISO_DATE = re.compile(_ISO)


def _fitting(type_: ColumnType) -> str:
    if type_.is_temporal:
        return "use `method: floor` with `step: year` (or month, day), which keeps the type, or date_shift"
    if type_.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT):
        return "use `method: floor` with step or bins, which keeps the type"
    return "use fixed or null"


def _places(depth: int) -> tuple[Any, Any]:
    """What follows the first ``depth`` of the parts between commas, or None where nothing does."""

    def python(value: Any) -> str | None:
        text = str(value)
        return drop_parts(text, depth) if text.count(",") >= depth else None

    def sql(value: Any, dialect: Any) -> Any:
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer, text

        without = dialect.replace(value.copy(), text(","), text(""))
        commas = exp.Sub(this=dialect.length(value.copy()), expression=dialect.length(without))
        enough = exp.GTE(this=exp.Paren(this=commas), expression=integer(depth))
        return exp.Case(ifs=[exp.If(this=enough, true=dialect.drop_parts(value.copy(), depth))])

    return python, sql
