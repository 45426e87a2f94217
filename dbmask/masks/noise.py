"""noise: numbers moved a little, by key and row, or with differential privacy."""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._gauss import ENTROPY, Scale, analytic_sigma, classic_sigma, secure_gauss, secure_laplace, total_of
from dbmask.masks._noise_sql import noise_sql
from dbmask.masks._rows import RowBound, text_of
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import tuple_text, utf8_bytes

__all__ = ["Noise"]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)
_EXACT = Context(prec=1_000, rounding=ROUND_HALF_EVEN)
_FLOAT = ColumnType(Kind.FLOAT, "double precision")
_INTEGER = ColumnType(Kind.INTEGER, "integer", bits=32)
_MONEY = ColumnType(Kind.DECIMAL, "numeric(10,2)", precision=10, scale=2)

Positive = Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class Noise(KeyedMask):
    """A number moved by bell-shaped noise of standard deviation ``sigma``, then clipped to ``min_val`` and ``max_val``, then rounded.

    By default the noise is drawn from the key, the row's primary key and the value, so that repeating a query or a
    run never averages it away; ``random: true`` draws it from the operating system instead. With ``epsilon``,
    ``sensitivity`` and ``delta`` it is the analytic Gaussian mechanism (Balle and Wang 2018), or ``mechanism: laplace``,
    fresh at each run. ``seed`` makes it the same for equal values everywhere, and reversible by whoever knows the seed.
    On a column of text that holds numbers say ``on_invalid``, for what is none.
    """

    name: ClassVar[str] = "noise"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(45, 41, {"sigma": 5}, _INTEGER),
        Case(Decimal("1999.90"), Decimal("1810"), {"sigma": 100, "precision": 0}, _MONEY),
        Case(45, 44.59639914709703, {"sigma": 2, "seed": "reproducible-2026"}, ColumnType(Kind.OTHER, "number")),
        Case("12.5", "13.3", {"sigma": 1, "precision": 1, "seed": 7, "on_invalid": "null"}),
        Case("SSN-123", None, {"sigma": 1, "on_invalid": "null"}),
        Case(None, None, type=_INTEGER),
    )

    sigma: Annotated[int, Field(gt=0)] | Positive | None = None
    epsilon: Positive | None = None
    sensitivity: Positive | None = None
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    mechanism: Literal["gaussian", "laplace"] = "gaussian"
    calibration: Literal["analytic", "classic"] = "analytic"
    min_val: int | float | None = None
    max_val: int | float | None = None
    precision: Annotated[int, Field(ge=0, le=30)] | None = None
    seed: str | int | None = None
    random: bool = False
    on_invalid: Literal["error", "null"] | None = None
    seed_voids_privacy: bool = False

    def __post_init__(self) -> None:
        if self.sigma is not None and self.epsilon is not None:
            raise ValueError("give either sigma, or epsilon with sensitivity (and delta): not both")
        if self.epsilon is None and (self.sensitivity is not None or self.mechanism == "laplace"):
            raise ValueError("sensitivity and mechanism belong to epsilon")
        if self.epsilon is not None and self.sensitivity is None:
            raise ValueError(
                "epsilon needs sensitivity: how much one person can change the value, such as max_val - min_val"
            )
        if self.seed is not None and self.epsilon is not None and not self.seed_voids_privacy:
            raise ValueError("a seed leaves nothing of the privacy that epsilon promises; leave one of them out")
        if self.seed is not None and self.random:
            raise ValueError("noise is either seeded or random")
        for bound in (self.min_val, self.max_val):
            if bound is not None and not math.isfinite(bound):
                raise ValueError("min_val and max_val must be finite")
        if self.min_val is not None and self.max_val is not None and self.min_val > self.max_val:
            raise ValueError("min_val must not be above max_val")
        if self._fresh:
            # Noise that is new at each look is averaged away by looking again: no view or query may draw it.
            object.__setattr__(self, "profiles", frozenset({"clone", "file", "spark"}))

    @property
    def _fresh(self) -> bool:
        return self.seed is None and (self.epsilon is not None or self.random)

    @property
    def deviation(self) -> int | float:
        """The noise's scale: sigma as written or as calibrated, or Laplace's b."""
        if self.epsilon is None or self.sensitivity is None:
            return 1.0 if self.sigma is None else self.sigma
        if self.mechanism == "laplace":
            return self.sensitivity / self.epsilon
        calibrate = classic_sigma if self.calibration == "classic" else analytic_sigma
        return calibrate(self.epsilon, self.delta, self.sensitivity)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit numbers, and with ``on_invalid`` text that holds them. Raises BindError on other columns."""
        type_ = columns.target.type
        if type_.kind is Kind.TEXT and self.on_invalid is None:
            hint = "use imitate, or say `on_invalid: error` (or null) where the text holds numbers"
            raise BindError(f"noise moves numbers, and the column is {type_}", hint)
        if type_.kind not in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.TEXT, Kind.OTHER, Kind.JSON):
            hint = "use date_shift" if type_.is_temporal else "use fixed or null"
            raise BindError(f"noise moves numbers, and the column is {type_}", hint)
        finish = _Finish(type_, self.min_val, self.max_val, self.precision)
        if self._fresh or self.seed is not None:
            return self._unkeyed(columns, finish)
        return self._keyed(columns, keys, finish)

    def _unkeyed(self, columns: Columns, finish: _Finish) -> Bound:
        source = ENTROPY
        deviation, seed = self.deviation, self.seed
        draw: Callable[[float], float]
        if seed is not None:

            def draw(value: float) -> float:
                digest = hashlib.sha256(f"{seed}_{deviation}_{value}".encode()).hexdigest()
                return random.Random(int(digest, 16)).gauss(0, deviation)  # noqa: S311 - what the tutorial's seed means

        elif self.mechanism == "laplace":

            def draw(value: float) -> float:
                return secure_laplace(deviation, source)
        else:

            def draw(value: float) -> float:
                return secure_gauss(deviation, source)

        def python(value: Any) -> Any:
            number = self._number(value)
            return None if number is None else finish(number, draw(float(number)), value)

        budget = None if self.epsilon is None or seed is not None else (self.epsilon, self._delta_spent)
        promises = Promises(
            type=columns.target.type,
            value_only=seed is not None,
            total=self.on_invalid == "null",
            warnings=self._warnings(),
            budget=budget,
        )
        return replace(
            RowBound.of(self, columns, (), promises, python, repeats=seed is not None), stays=self._stays(finish)
        )

    @property
    def _delta_spent(self) -> float:
        return 0.0 if self.mechanism == "laplace" else self.delta

    def _warnings(self) -> tuple[str, ...]:
        made = []
        if self.seed is not None and self.epsilon is not None:
            made.append("noise with a seed: no privacy guarantee is left of epsilon")
        elif self.seed is not None:
            made.append("noise with a seed can be taken away again by whoever knows the seed")
        if self.epsilon is not None and self.epsilon > 1 and self.calibration == "classic":
            made.append(
                "the classic calibration is proven for epsilon below 1 only; `calibration: analytic` holds for all"
            )
        return tuple(made)

    def _keyed(self, columns: Columns, keys: KeyRing, finish: _Finish) -> Bound:
        target = columns.target
        key = self.key(keys).sub("noise")
        row = [columns.available[n] for n in columns.row_key if n in columns.available and n != target.name]
        readers = [text_of(c) for c in row]
        own = text_of(target)
        places = finish.places(self.deviation)
        scale = Scale.of(float(self.deviation) * 10**places)

        def python(value: Any, *others: Any) -> Any:
            number = self._number(value, target.type.kind is Kind.DECIMAL)
            if number is None:
                return None
            parts = [read(other) for read, other in zip(readers, others, strict=True)]
            digest = key.prf(utf8_bytes(tuple_text([*parts, own(value)]))).hex()
            units = scale.units(total_of(digest))
            exact = target.type.kind in (Kind.INTEGER, Kind.DECIMAL) or isinstance(number, Decimal)
            return finish(number, Decimal(units).scaleb(-places, _EXACT) if exact else units / 10**places, value)

        promises = Promises(
            type=target.type,
            value_only=not row,
            total=self.on_invalid == "null" or target.type.kind is not Kind.TEXT,
            keyed=True,
            warnings=() if row else ("the table has no primary key: equal values get equal noise",),
        )
        bound = RowBound.of(
            self,
            columns,
            row,
            promises,
            python,
            lambda exprs, dialect: noise_sql(
                exprs, [target, *row], dialect, key.name, scale, places, finish.step, finish.limits
            ),
            repeats=not row,
        )
        return replace(bound, stays=self._stays(finish))

    def _stays(self, finish: _Finish) -> Callable[[Any], float] | None:
        """The probability that noise is rounded away, or clipped at the bound where a value stands; None without a fixed step."""
        if finish.step is None:
            return None
        half, scale = 0.5 * 10.0**-finish.step, float(self.deviation)
        laplace = self.epsilon is not None and self.mechanism == "laplace"
        lost = -math.expm1(-half / scale) if laplace else math.erf(half / (scale * math.sqrt(2)))
        low, high = finish.limits

        def stays(value: Any) -> float:
            number = self._number(value)
            if number is None:
                return 0.0
            at_bound = (low is not None and number <= low) or (high is not None and number >= high)
            return (1 + lost) / 2 if at_bound else lost

        return stays

    def _number(self, value: Any, exact: bool = False) -> int | float | Decimal | None:
        """The value as a number; None where ``on_invalid: null`` lets it go. Raises ValueError otherwise."""
        if isinstance(value, str) and _NUMBER.match(value):
            value = Decimal(value.strip()) if exact else float(value)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value):
            return value
        if self.on_invalid == "null":
            return None
        raise ValueError("not a number")


class _Finish:
    """After the noise is drawn: add, clip, round half-even, and fit the column's type.

    Exact numbers are rounded first and clipped to rounded bounds, which is the same, since rounding keeps order; so
    the type's own bounds hold for the rounded result.
    """

    def __init__(self, type_: ColumnType, low: float | None, high: float | None, precision: int | None) -> None:
        self._type = type_
        self._low, self._high, self._precision = low, high, precision
        self.step: int | None = precision
        if type_.kind is Kind.INTEGER:
            self.step = 0
        elif type_.scale is not None:
            self.step = min(type_.scale, precision if precision is not None else type_.scale)
        self._unit = None if self.step is None else Decimal(1).scaleb(-self.step)
        self.limits = self._limits()

    def places(self, deviation: float) -> int:
        """Decimal places in which exact noise is drawn."""
        if self._type.kind is Kind.INTEGER:
            return 0
        if self._type.kind is Kind.DECIMAL and self._type.scale is not None:
            return self._type.scale
        return max(self._precision or 0, min(30, 6 - math.frexp(deviation)[1] * 3 // 10), 0)

    def _rounded(self, bound: float | Decimal | None, rounding: str) -> Decimal | None:
        exact = None if bound is None else Decimal(str(bound))
        return exact if exact is None or self._unit is None else exact.quantize(self._unit, rounding, _EXACT)

    def _limits(self) -> tuple[Decimal | None, Decimal | None]:
        """The user's bounds, rounded, within the type's."""
        type_ = self._type
        low, high = self._rounded(self._low, ROUND_HALF_EVEN), self._rounded(self._high, ROUND_HALF_EVEN)
        if type_.kind is Kind.INTEGER:
            bottom, top = map(Decimal, type_.int_range)
        elif type_.kind is Kind.DECIMAL and type_.precision is not None:
            top = Decimal(10**type_.precision - 1).scaleb(-(type_.scale or 0), _EXACT)
            bottom = -top
        else:
            return low, high
        smallest, largest = self._rounded(bottom, ROUND_CEILING), self._rounded(top, ROUND_FLOOR)
        return max(b for b in (low, smallest) if b is not None), min(b for b in (high, largest) if b is not None)

    def __call__(self, number: float | Decimal, noise: float | Decimal, value: Any) -> Any:
        """``number`` with ``noise``, in the form in which ``value`` came."""
        kind = self._type.kind
        if kind in (Kind.INTEGER, Kind.DECIMAL) or isinstance(value, Decimal):
            plus = noise if isinstance(noise, Decimal) else Decimal(repr(noise))
            made = _EXACT.add(Decimal(str(number)), plus)
            if self._unit is not None:
                made = made.quantize(self._unit, context=_EXACT)
            low, high = self.limits
            made = made if low is None else max(made, low)
            made = made if high is None else min(made, high)
            return int(made) if kind is Kind.INTEGER else made
        moved = float(number) + float(noise)
        if self._low is not None:
            moved = max(moved, self._low)
        if self._high is not None:
            moved = min(moved, self._high)
        if self._precision is not None:
            moved = round(moved, self._precision)
            if self._precision == 0 and kind is not Kind.FLOAT:
                moved = int(moved)
        return str(moved) if isinstance(value, str) else moved
