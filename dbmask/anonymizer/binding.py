"""Whether columns of a table fit the anonymizer, and what it promises of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dbmask.anonymizer.flags import Scorer
from dbmask.anonymizer.parameters import Parameters
from dbmask.errors import BindError
from dbmask.masks.base import Columns, Promises
from dbmask.schema import Column, ColumnType, Kind

if TYPE_CHECKING:
    from dbmask.anonymizer.engine import Engine

__all__ = ["added_columns", "check_columns", "promises_of_roles"]

_LENGTHS = {"cz.rc": 6, "sk.rc": 6, "pl.pesel": 11, "ro.cnp": 13, "bg.egn": 10, "ee.ik": 11, "lt.asmens": 11}
"""The fewest characters that a number of each kind has."""

_SCORE = ColumnType(Kind.INTEGER, "integer", bits=32)
_FRACTION = ColumnType(Kind.FLOAT, "double precision", bits=64)
_TEXT = ColumnType(Kind.TEXT, "text")


def added_columns(
    scorer: Scorer | None, score: str | None, explanation: str | None, columns: Columns
) -> dict[str, Column]:
    """The columns for score and explanation, as the table has them or as they will be added."""
    if scorer is None:
        return {}
    whole = all(isinstance(s, int) for s in scorer.scores)
    made = {}
    if score is not None:
        made["score"] = columns.available.get(score) or Column(score, _SCORE if whole else _FRACTION)
    if explanation is not None:
        made["explanation"] = columns.available.get(explanation) or Column(explanation, _TEXT)
    _check_added(made, scorer, whole)
    return made


def _check_added(made: Mapping[str, Column], scorer: Scorer, whole: bool) -> None:
    wrong = []
    if (column := made.get("score")) is not None:
        kinds = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT) if whole else (Kind.DECIMAL, Kind.FLOAT)
        if column.type.kind not in kinds:
            wrong.append(
                f"scoreColumn {column.name!r} is {column.type}, which holds no {'whole' if whole else 'decimal'} numbers"
            )
        elif column.type.kind is Kind.INTEGER:
            low, high = column.type.int_range
            if not low <= min(scorer.scores) <= max(scorer.scores) <= high:
                wrong.append(
                    f"scoreColumn {column.name!r} is {column.type}, too small for scores of {max(scorer.scores)}"
                )
    if (column := made.get("explanation")) is not None:
        longest = max(map(len, scorer.explanations))
        if not column.type.is_text:
            wrong.append(f"explanationColumn {column.name!r} is {column.type}, not text")
        elif column.type.length is not None and column.type.length < longest:
            wrong.append(
                f"explanationColumn {column.name!r} is {column.type}, and an explanation may have {longest} characters"
            )
    if wrong:
        raise BindError("; ".join(wrong))


def check_columns(
    parameters: Parameters, found: Mapping[str, Column], added: Mapping[str, Column], columns: Columns
) -> None:
    """Raise BindError for every column whose type or length does not fit."""
    wrong = [w for role, column in found.items() for w in _misfits(parameters, role, column)]
    if columns.targets and list(columns.targets) != list(found.values()):
        wrong.append("it names columns, so it stands at table level: write `anonymizer:` beside `columns:`")
    if wrong:
        raise BindError("; ".join(wrong))


def _misfits(parameters: Parameters, role: str, column: Column) -> Iterator[str]:
    type_ = column.type
    place = f"{role}: column {column.name!r} is {type_}"
    if role == "birthDate":
        if type_.kind is Kind.TIMESTAMPTZ:
            yield f"{place}, which has a date only in a time zone; use date_shift"
        elif type_.is_text:
            if type_.length is not None and type_.length < len("1971-03-19"):
                yield f"{place}, too short for an ISO date"
        elif type_.kind not in (Kind.DATE, Kind.TIMESTAMP):
            yield f"{place}; a birth date is a date, a timestamp or ISO text"
    elif not type_.is_text:
        yield f"{place}, not text" + (
            "; a birth number begins with zeros in some years" if role == "rc" and type_.kind is Kind.INTEGER else ""
        )
    elif role == "rc" and type_.length is not None and type_.length < _LENGTHS[parameters.type]:
        yield f"{place}, too short for a {parameters.type} number"
    if parameters.on_invalid == "null" and not column.nullable:
        yield f"{role}: column {column.name!r} is NOT NULL, and `on_invalid` is null; use replace"


def promises_of_roles(parameters: Parameters, found: Mapping[str, Column], engine: Engine) -> dict[str, Promises]:
    """What holds of each bound column."""
    raising = parameters.on_invalid == "error"
    kept = 1.0 if parameters.on_invalid == "keep" else 0.05
    made = {}
    for role, column in found.items():
        value_only, injective, total, unchanged = True, False, not raising, kept
        if role == "rc":
            beside = "birthDate" in found
            value_only = not beside
            # Under `on_invalid: null` all that is no number becomes one and the same.
            injective = engine.apart and (parameters.unique or not beside) and parameters.on_invalid != "null"
            total = total and not (parameters.unique and (beside or parameters.on_invalid == "replace"))
        elif role != "birthDate" and not parameters.changeNames:
            unchanged, injective = 1.0, True
        made[role] = Promises(
            type=column.type,
            value_only=value_only,
            injective=injective,
            total=total,
            keyed=True,
            unchanged=unchanged,
        )
    return made
