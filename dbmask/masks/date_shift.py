"""date_shift: dates moved by some days, the same number for all dates of one entity where the policy says so."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._rows import RowBound, text_of
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import Column, ColumnType, Kind
from dbmask_sql.canonical import canonical_text, utf8_bytes
from dbmask_sql.temporal import add_days

__all__ = ["DateShift"]

_DATE = ColumnType(Kind.DATE, "date")
_STAMP = ColumnType(Kind.TIMESTAMP, "timestamp")
_INT = ColumnType(Kind.INTEGER, "integer", bits=32)
_WORD = 15  # hex digits of a PRF word, as dbmask_sql.dialects.base.WORD_DIGITS
_HALF_YEAR = 182
"""A date that leaves its year by at most this many days stays in it when it moves the other way."""
_ENDLESS = re.compile(r"-?infinity\Z|0000-00-00")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T].*)?\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class DateShift(KeyedMask):
    """A date moved by 1 to ``days`` days, back or forth; the time of day stays.

    With ``by``, a column of the same row (customer_id), all dates of one entity move by the same number of days, so that
    the time between them survives; near years 1 and 9999 the move turns round. ``keep_year`` turns a move round that would
    leave the year. Infinite dates stay. On a column of text that holds ISO dates say ``on_invalid``, for what is none.
    """

    name: ClassVar[str] = "date_shift"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(dt.date(2024, 2, 29), dt.date(2024, 3, 6), {}, _DATE),
        Case(dt.datetime(2024, 2, 29, 13, 45, 6), dt.datetime(2023, 9, 24, 13, 45, 6), {"days": 365}, _STAMP),
        Case(dt.date(2024, 12, 31), dt.date(2024, 11, 9), {"days": 60, "keep_year": True}, _DATE),
        Case(
            dt.date(2024, 2, 1),
            dt.date(2024, 1, 8),
            {"by": "customer_id"},
            _DATE,
            row={"customer_id": 7},
            types={"customer_id": _INT},
        ),
        Case(
            dt.date(2024, 2, 9),
            dt.date(2024, 1, 16),
            {"by": "customer_id"},
            _DATE,
            row={"customer_id": 7},
            types={"customer_id": _INT},
        ),
        Case("2024-02-29", "2024-03-06", {"on_invalid": "null"}),
        Case("soon", None, {"on_invalid": "null"}),
        Case(None, None, type=_DATE),
    )

    days: Annotated[int, Field(ge=1, le=36_500)] = 30
    by: str | None = None
    keep_year: bool = False
    on_invalid: Literal["error", "null"] | None = None

    def __post_init__(self) -> None:
        if self.keep_year and self.days > _HALF_YEAR:
            raise ValueError(f"with keep_year, days is at most {_HALF_YEAR}")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit dates and timestamps, and with ``on_invalid`` text that holds them. Raises BindError on other columns."""
        target = columns.target
        type_ = target.type
        if type_.kind is Kind.TEXT and self.on_invalid is None:
            hint = "say `on_invalid: error` (or null) where the text holds ISO dates"
            raise BindError(f"date_shift moves dates, and the column is {type_}", hint)
        if not type_.is_temporal and type_.kind is not Kind.TEXT:
            hint = "use permute or noise" if type_.kind is Kind.INTEGER else "use fixed or null"
            raise BindError(f"date_shift moves dates, and the column is {type_}", hint)
        entity = None if self.by is None else columns.other(self.by, "by")
        key = self.key(keys)
        promises = Promises(
            type=type_,
            value_only=entity is None,
            total=self.on_invalid == "null" or type_.kind is not Kind.TEXT,
            keyed=True,
            outcomes=2 * self.days,
            unchanged=0.0,
        )
        return RowBound.of(
            self,
            columns,
            () if entity is None else (entity,),
            promises,
            self._python(target, entity, key),
            lambda exprs, dialect: self._sql(exprs, target, entity, key, dialect),
        )

    @property
    def _margin(self) -> int:
        """Years at either end of the calendar within which moves go inwards only."""
        return self.days // 365 + 1

    def _python(self, target: Column, entity: Column | None, key: ColumnKey) -> Callable[..., Any]:
        of_entity = None if entity is None else text_of(entity)
        days, margin = self.days, self._margin

        def masked(value: Any, *others: Any) -> Any:
            kind = target.type.kind
            if kind is Kind.TEXT:
                if not _is_date(value):
                    if self.on_invalid == "null":
                        return None
                    raise ValueError("not a date")
                kind = _kind_of(value)
            text = canonical_text(kind)(value)
            if _ENDLESS.match(text):
                return value
            if isinstance(value, dt.datetime) and value.tzinfo is not None:
                value = value.astimezone(dt.UTC)
            drawn = (of_entity(others[0]) if of_entity is not None else None) or text
            step = int(key.prf(utf8_bytes(drawn)).hex()[:_WORD], 16) % (2 * days)
            year = int(text[:4])
            move = step - days + 1 if step >= days else -(step + 1)
            if year <= margin:
                move = step % days + 1
            elif year > 9999 - margin:
                move = -(step % days + 1)
            moved = add_days(value, move)
            if self.keep_year and canonical_text(kind)(moved)[:4] != text[:4]:
                return add_days(value, -move)
            return moved

        return masked

    def _sql(self, exprs: Sequence[Any], target: Column, entity: Column | None, key: ColumnKey, dialect: Any) -> Any:
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer

        kind, value = target.type.kind, exprs[0]
        text = dialect.canonical(value.copy(), kind)
        if kind is Kind.TEXT or text is None or dialect.add_days(value.copy(), integer(1), kind) is None:
            return None
        drawn = text.copy()
        if entity is not None:
            own = dialect.canonical(exprs[1].copy(), entity.type.kind, entity.type.padded)
            if own is None:
                return None
            drawn = exp.Coalesce(this=own, expressions=[drawn])

        def year(date: Any) -> Any:
            return dialect.to_int(dialect.substr(dialect.canonical(date, kind), 1, 4))

        def negative(number: Any) -> Any:
            return exp.Paren(this=exp.Sub(this=integer(0), expression=number))

        def move(step: Any) -> Any:
            inward = exp.Paren(this=exp.Add(this=dialect.mod(step.copy(), self.days), expression=integer(1)))
            forth = exp.Paren(this=exp.Sub(this=step.copy(), expression=integer(self.days - 1)))
            back = negative(exp.Paren(this=exp.Add(this=step.copy(), expression=integer(1))))
            first = exp.LTE(this=year(value.copy()), expression=integer(self._margin))
            last = exp.GT(this=year(value.copy()), expression=integer(9999 - self._margin))
            onward = exp.GTE(this=step.copy(), expression=integer(self.days))
            return exp.Case(
                ifs=[
                    exp.If(this=first, true=inward),
                    exp.If(this=last, true=negative(inward.copy())),
                    exp.If(this=onward, true=forth),
                ],
                default=back,
            )

        def moved(days: Any) -> Any:
            made = dialect.add_days(value.copy(), days.copy(), kind)
            if not self.keep_year:
                return made
            stays = exp.EQ(this=year(made.copy()), expression=year(value.copy()))
            other = dialect.add_days(value.copy(), negative(days.copy()), kind)
            return exp.Case(ifs=[exp.If(this=stays, true=made)], default=other)

        step = dialect.mod(dialect.prf_word(drawn, key.name), 2 * self.days)
        made = dialect.shared(step, lambda s: dialect.shared(move(s), moved, "move"), "step")
        endless = dialect.endless(value.copy())
        return made if endless is None else exp.Case(ifs=[exp.If(this=endless, true=value.copy())], default=made)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not _ISO.match(value):
        return False
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _kind_of(value: str) -> Kind:
    """What column a text would have come from, so that a file masks as the database does."""
    if len(value) == 10:
        return Kind.DATE
    return Kind.TIMESTAMPTZ if dt.datetime.fromisoformat(value).tzinfo else Kind.TIMESTAMP
