"""anonymizer: birth number, birth date, first and last name of a table's rows, masked together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dbmask.anonymizer.binding import added_columns, check_columns, promises_of_roles
from dbmask.anonymizer.eras import EXTENDED
from dbmask.anonymizer.flags import Scorer, ScoringEntry
from dbmask.anonymizer.lookup import check_lookup_name
from dbmask.anonymizer.parameters import ROLES, Parameters
from dbmask.errors import BindError, DbmaskError, MaskError, PolicyError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.schema import Column, ColumnType, Kind

__all__ = ["AnonymizerMask"]

_SHOWN = {"birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"}
_DATE = ColumnType(Kind.DATE, "date")


@dataclass(frozen=True, kw_only=True)
class AnonymizerMask(Mask):
    """Birth date, birth number, first and last name of the same row, masked together: they still agree, and so do era, sex and form.

    ``rc``, ``birthDate``, ``firstName``, ``lastName``, ``scoreColumn`` and ``explanationColumn`` name columns: so it stands at
    table level in a policy, as ``anonymizer:``. Among ``columns:`` it names none, and a text column holds birth
    numbers, a date column birth dates.
    """

    name: ClassVar[str] = "anonymizer"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("710319/2745", "700909/2794", _SHOWN),
        Case("400315913", "380727913", _SHOWN),
        Case(dt.date(1971, 3, 19), dt.date(1970, 9, 9), _SHOWN, type=_DATE),
        Case("7113011234", "7113011234", {**_SHOWN, "on_invalid": "keep"}),
        Case("7113011234", None, {**_SHOWN, "on_invalid": "null"}),
        Case(None, None, _SHOWN),
        Case("", "", _SHOWN),
    )

    birthDayMin: dt.date
    birthDayMax: dt.date
    rc: str | None = None
    birthDate: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    changeNames: bool = True
    nameLookupFileName: str | None = None
    type: Literal["cz.rc", "sk.rc", "pl.pesel", "ro.cnp", "bg.egn", "ee.ik", "lt.asmens"] = "cz.rc"
    widening: float = 0.05
    separator: Literal["auto", "none"] = "auto"
    extendedSince: dt.date = EXTENDED
    artificial: Literal["keep", "mask"] = "keep"
    on_invalid: Literal["replace", "keep", "null", "error"] = "replace"
    check_digit: Literal["strict", "last_only"] = "strict"
    unique: bool = False
    scorer: tuple[ScoringEntry, ...] | None = None
    scoreColumn: str | None = None
    explanationColumn: str | None = None
    domain: str | None = None

    def __post_init__(self) -> None:
        wrong = [str(p) for p in self.parameters.problems()]
        named = [self.bound_columns[r] for r in ROLES if r in self.bound_columns] + list(self.added)
        wrong += [f"{n} is named twice" for n in dict.fromkeys(named) if named.count(n) > 1]
        if self.scorer is None and self.added:
            wrong.append("scoreColumn and explanationColumn need a scorer")
        if self.scorer is not None and not self.added:
            wrong.append("scorer needs scoreColumn or explanationColumn to write to")
        if self._needs_names and self.nameLookupFileName is None:
            wrong.append("nameLookupFileName is required when names change (a CSV file, or builtin:cs)")
        if self.nameLookupFileName is not None:
            wrong += [str(p) for p in check_lookup_name(self.nameLookupFileName)]
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def parameters(self) -> Parameters:
        """What the engine is told."""
        shared = {name: getattr(self, name) for name in Parameters.__dataclass_fields__}
        return Parameters(**shared)

    @property
    def bound_columns(self) -> dict[str, str]:
        """Column names by what they hold."""
        return {role: name for role in ROLES if (name := getattr(self, role)) is not None}

    @property
    def added(self) -> tuple[str, ...]:
        """The columns for score and explanation."""
        return tuple(name for name in (self.scoreColumn, self.explanationColumn) if name is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the mask stands on."""
        return (*self.bound_columns.values(), *self.added)

    @property
    def _needs_names(self) -> bool:
        return self.changeNames and (self.firstName is not None or self.lastName is not None)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit the columns that the parameters name. Raises BindError for types and lengths that do not fit, all together."""
        from dbmask.anonymizer.api import DOMAIN, make_engine

        found = {role: columns.other(name, role) for role, name in self.bound_columns.items()}
        if not found:
            found = _alone(columns)
        scorer = None if self.scorer is None else Scorer(self.scorer)
        added = added_columns(scorer, self.scoreColumn, self.explanationColumn, columns)
        check_columns(self.parameters, found, added, columns)
        limits = {role: c.type.length for role, c in found.items() if c.type.length is not None}
        try:
            engine = make_engine(
                self.parameters, keys.column(self.domain or DOMAIN), needs_names=self._needs_names, limits=limits
            )
        except PolicyError as error:
            raise BindError("; ".join(str(p) for p in error.problems)) from None
        each = promises_of_roles(self.parameters, found, engine)
        return AnonymizerBound(
            engine=engine,
            roles=found,
            each={
                **{found[r].name: p for r, p in each.items()},
                **{c.name: Promises(type=c.type) for c in added.values()},
            },
            scorer=scorer,
            added={kind: c.name for kind, c in added.items()},
            label=columns.table,
        )


def _alone(columns: Columns) -> dict[str, Column]:
    """The mask's own column, by what it can hold. Raises BindError where it stands on none."""
    if len(columns.targets) != 1:
        raise BindError(f"the anonymizer names no column: give at least one of {', '.join(ROLES)}")
    return {"birthDate" if columns.target.type.is_temporal else "rc": columns.target}


@dataclass(frozen=True)
class AnonymizerBound:
    """The anonymizer on the columns of one table; ``each`` holds what is promised of every output."""

    engine: Any
    roles: Mapping[str, Column]
    each: Mapping[str, Promises]
    scorer: Scorer | None = None
    added: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that the parameters name."""
        return tuple(c.name for c in self.roles.values())

    @property
    def outputs(self) -> tuple[str, ...]:
        """The same columns, then score and explanation."""
        return (*self.inputs, *self.added.values())

    @property
    def promises(self) -> Promises:
        """What holds for every output: see ``each`` for one of them."""
        all_of = list(self.each.values())
        return Promises(
            type=all_of[0].type,
            value_only=all(p.value_only for p in all_of),
            injective=all(p.injective for p in all_of),
            total=all(p.total for p in all_of),
            keyed=True,
            unchanged=max(p.unchanged for p in all_of),
            warnings=tuple(w for p in all_of for w in p.warnings),
        )

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask a batch. Raises MaskError."""
        given = {
            role: _plain(values, column.type.padded)
            for (role, column), values in zip(self.roles.items(), columns, strict=True)
        }
        try:
            outcome = self.engine.run(given)
        except DbmaskError as error:
            raise MaskError(f"{self.label}: {error}") from None
        except Exception as error:
            # The exception's text may quote a value; only its type is passed on.
            raise MaskError(f"{self.label}: anonymizer: a row could not be masked ({type(error).__name__})") from None
        made: list[list[Any]] = [outcome.columns[role] for role in self.roles]
        if self.scorer is not None:
            bits = outcome.flags.tolist()
            tables: dict[str, Sequence[Any]] = {"score": self.scorer.scores, "explanation": self.scorer.explanations}
            made += [[tables[kind][b] for b in bits] for kind in self.added]
        return made

    def sql(self, exprs: Sequence[Any], dialect: Any) -> list[Any] | None:
        """None: the anonymizer runs in Python only."""
        return None


def _plain(values: list[Any], padded: bool) -> list[Any]:
    """Values without char(n)'s padding; bytes, which SQLite's text columns may hold, as text."""
    if any(issubclass(kind, bytes | bytearray | memoryview) for kind in set(map(type, values))):
        values = [
            bytes(v).decode("utf-8", "surrogateescape") if isinstance(v, bytes | bytearray | memoryview) else v
            for v in values
        ]
    return [v.rstrip(" ") if isinstance(v, str) else v for v in values] if padded else values
