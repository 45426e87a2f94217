"""What does not fit is refused before any data is read, with the reason and a mask that would fit."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.errors import BindError, PolicyError
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask
from dbmask.schema import Column, ColumnType, Kind
from tests.masks.engines import KEYS, bind

TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)
DATE = ColumnType(Kind.DATE, "date")
UUID = ColumnType(Kind.UUID, "uuid")
NUMERIC = ColumnType(Kind.DECIMAL, "numeric(5,1)", precision=5, scale=1)
JSON = ColumnType(Kind.JSON, "jsonb")
MOOD = ColumnType(Kind.ENUM, "mood", values=("sad", "ok"))


def varchar(length: int) -> ColumnType:
    return ColumnType(Kind.TEXT, f"varchar({length})", length=length)


COLUMNS: list[tuple[Any, ColumnType, str, str]] = [
    ("redact", INT, "the column is integer", "generalize with method: floor"),
    ("hash", varchar(20), "64 characters, and the column is varchar(20)", "length: 20"),
    ({"mask": "hash", "length": 21}, varchar(20), "21 characters", "length: 20"),
    ("hash", INT, "the column is integer", "permute"),
    ("hash", UUID, "the column is uuid", "uuid"),
    ({"mask": "generalize", "step": 10}, INT, "labels", "method: floor"),
    ({"mask": "generalize", "method": "date_year"}, DATE, "labels here, and the column is date", "step: year"),
    ({"mask": "generalize", "step": 0.5, "method": "floor"}, INT, "fractional", "integers"),
    ({"mask": "generalize", "step": 0.25, "method": "floor"}, NUMERIC, "2 decimals", "fewer decimals"),
    (
        {"mask": "generalize", "bins": [0, 10**9, 10**10], "method": "floor"},
        INT,
        "a bound does not fit",
        "column can hold",
    ),
    ({"mask": "generalize", "step": "year", "method": "floor"}, TEXT, "needs a date column", "date_year"),
    ({"mask": "generalize", "step": 10}, varchar(5), "6 characters or more", "shorter `default`"),
    ({"mask": "generalize", "depth": 1}, JSON, "the column is jsonb", "fixed"),
    ({"mask": "fixed", "value": "x"}, INT, "no value for a column of type integer", "fits integer"),
    ({"mask": "fixed", "value": 2**31}, INT, "does not fit integer", "fits"),
    ({"mask": "fixed", "value": 1.5}, INT, "is no integer", "fits"),
    ({"mask": "fixed", "value": "2023-02-29"}, DATE, "no value for a column of type date", "fits"),
    ({"mask": "fixed", "value": 1.25}, NUMERIC, "does not fit numeric(5,1)", "fits"),
    ({"mask": "fixed", "value": 12345}, NUMERIC, "does not fit numeric(5,1)", "fits"),
    ({"mask": "fixed", "value": "angry"}, MOOD, "none of the column's values, sad, ok", "fits"),
    ({"mask": "fixed", "value": "abcd"}, varchar(3), "has 4 characters, and the column is varchar(3)", "fits"),
    ({"mask": "fixed", "value": "a\0"}, TEXT, "NUL", "fits"),
    ({"mask": "fixed", "value": 0, "on_null": "none"}, INT, "`on_null`", "fits"),
    ({"mask": "hash", "length": 4, "on_null": "(none)"}, varchar(5), "`on_null` has 6 characters", "fits"),
    ({"mask": "redact", "on_empty": "(none)"}, varchar(5), "`on_empty` has 6 characters", "fits"),
    ({"mask": "substring", "end_index": 2}, INT, "the column is integer", "floor"),
    ({"mask": "case", "transform": "uppercase"}, DATE, "the column is date", "fixed"),
    ({"mask": "replace", "old": "a"}, INT, "the column is integer", "fixed"),
    ({"mask": "concat", "masks": ["keep"]}, INT, "the column is integer", "single mask"),
    ({"mask": "regex", "regex": "a", "new": ""}, INT, "the column is integer", "fixed"),
    ({"mask": "regex", "regex": "(?=a)", "new": ""}, TEXT, "RE2", "engine: re"),
    ("uuid", INT, "the column is integer", "permute"),
    ("uuid", varchar(35), "36 characters, and the column is varchar(35)", "hash with `length: 35`"),
    ({"mask": "dictionary", "values": ["long name"]}, varchar(4), "has 9 characters", "fits varchar(4)"),
    ({"mask": "dictionary", "values": ["x"]}, INT, "no value for a column of type integer", "fits"),
    ({"mask": "dictionary", "values": ["{}"]}, JSON, "no values of jsonb", "fixed"),
    ({"mask": "dictionary", "file": "/no/such.csv"}, TEXT, "cannot be read", "CSV"),
    ("email", INT, "the column is integer", "fixed"),
    ("email", varchar(19), "an e-mail address takes 20 characters at example.com", "hash with `length: 19`"),
    ({"mask": "email", "unique": True}, varchar(31), "with `unique` takes 32 characters", "shorter `host`"),
    (
        {"mask": "chain", "masks": [{"mask": "sql", "expression": "{value}"}]},
        TEXT,
        "sql cannot stand inside chain",
        "by itself",
    ),
    ({"mask": "chain", "masks": ["drop"]}, TEXT, "drop cannot stand inside chain", "one value for one value"),
    (
        {"mask": "chain", "masks": [{"mask": "substring", "end_index": 3}, "hash"]},
        varchar(9),
        "64 characters",
        "length: 9",
    ),
    ({"mask": "from_column", "source_column": "nmae"}, TEXT, "names column 'nmae'", "name"),
    ({"mask": "from_column", "source_column": "age"}, TEXT, "column 'age' is integer, and the column is text", "fixed"),
    ({"mask": "python", "function": "no.such:thing"}, TEXT, "cannot be imported", "package.module:function"),
    ({"mask": "python", "function": "os:sep"}, TEXT, "is no function", "package.module:function"),
]


@pytest.mark.parametrize(("spec", "type_", "what", "hint"), COLUMNS, ids=lambda v: str(v)[:40])
def test_a_misfit_names_the_limit_and_the_way_out(spec: Any, type_: ColumnType, what: str, hint: str) -> None:
    with pytest.raises(BindError) as caught:
        bind(spec, type_, {"name": TEXT, "age": INT})
    assert what in caught.value.what
    assert hint in caught.value.hint


def test_null_is_refused_where_null_is() -> None:
    column = Column("v", TEXT, nullable=False)
    with pytest.raises(BindError, match="NOT NULL") as caught:
        build_mask("null").bind(Columns((column,)), KEYS)
    assert caught.value.hint == "use fixed"


PARAMETERS: list[tuple[Any, str]] = [
    ({"mask": "redact", "char": "##"}, "at most 1 character"),
    ({"mask": "redact", "keep_start": -1}, "greater than or equal to 0"),
    ({"mask": "hash", "algo": "nope", "keyed": False}, "digest of fixed length"),
    ({"mask": "hash", "algo": "shake_128", "keyed": False}, "digest of fixed length"),
    ({"mask": "hash", "algo": "sha512"}, "`keyed: false`"),
    ({"mask": "hash", "salt": "s"}, "`keyed: false`"),
    ({"mask": "hash", "length": 65}, "at most 64"),
    ({"mask": "generalize"}, "give one of `step`, `bins` and `depth`"),
    ({"mask": "generalize", "step": 5, "bins": [0, 1]}, "give one of `step`, `bins` and `depth`"),
    ({"mask": "generalize", "step": 0}, "greater than 0"),
    ({"mask": "generalize", "step": -1}, "greater than 0"),
    ({"mask": "generalize", "step": 1e-10}, "at most 9 decimals"),
    ({"mask": "generalize", "bins": [1, 1]}, "ascend"),
    ({"mask": "generalize", "bins": []}, "at least 1 item"),
    ({"mask": "generalize", "depth": 0}, "greater than or equal to 1"),
    ({"mask": "generalize", "depth": 1, "method": "floor"}, "does not go with depth"),
    ({"mask": "generalize", "step": 1, "method": "date_year"}, "does not go with method: date_year"),
    ({"mask": "generalize", "step": "year"}, "goes with `method: floor`"),
    ({"mask": "generalize", "step": True}, "step"),
    ({"mask": "substring", "start_index": 3, "end_index": 3}, "greater than start_index"),
    ({"mask": "replace"}, "give either `old`"),
    ({"mask": "replace", "old": "a", "masks": ["keep"]}, "give either `old`"),
    ({"mask": "replace", "old": ""}, "at least 1 character"),
    ({"mask": "replace", "masks": ["keep"], "start_index": 2, "end_index": 2}, "greater than start_index"),
    ({"mask": "replace", "old": "a", "start_index": 2}, "belong to `masks`"),
    ({"mask": "regex", "regex": "a"}, "either `masks` or `new`"),
    ({"mask": "regex", "regex": "(", "new": "", "engine": "re"}, "no pattern"),
    ({"mask": "chain", "masks": []}, "at least 1 item"),
    ({"mask": "chain", "masks": ["nope"]}, "no mask 'nope'"),
    ({"mask": "concat", "masks": []}, "at least 1 item"),
    ({"mask": "case", "transform": "sideways"}, "uppercase"),
    ({"mask": "dictionary"}, "either `values`, or `file`"),
    ({"mask": "dictionary", "values": []}, "at least 1 item"),
    ({"mask": "dictionary", "values": ["a"], "column": "x"}, "belongs to `file`"),
    ({"mask": "email", "host": "a b"}, "domain name"),
    ({"mask": "email", "hots": "x.cz"}, "no parameter 'hots'"),
    ({"mask": "python", "function": "nothing"}, "pattern"),
    ({"mask": "fixed"}, "needs the parameter 'value'"),
    ({"mask": "when", "if": [], "then": "keep", "else": "keep"}, "empty"),
    ({"mask": "when", "if": {"column": "a", "equals": 1}, "then": "keep"}, "needs the parameter 'else'"),
    ({"mask": "when", "if": {"column": "a"}, "then": "keep", "else": "keep"}, "says nothing"),
    ({"mask": "when", "if": {"equals": 1}, "then": "keep", "else": "keep"}, "names its column"),
    ({"mask": "when", "if": {"column": "a", "equal": 1}, "then": "keep", "else": "keep"}, "did you mean equals?"),
    ({"mask": "when", "if": {"column": "a", "equals": None}, "then": "keep", "else": "keep"}, "use is_null"),
    ({"mask": "when", "if": {"column": "a", "in": []}, "then": "keep", "else": "keep"}, "list of values"),
    ({"mask": "when", "if": {"column": "a", "is_null": 1}, "then": "keep", "else": "keep"}, "true or false"),
    ({"mask": "when", "if": {"column": "a", "matches": "(?=x)"}, "then": "keep", "else": "keep"}, "do not read alike"),
    ({"mask": "when", "if": {"and": [], "or": []}, "then": "keep", "else": "keep"}, "stands alone"),
    ({"mask": "when", "if": {"or": []}, "then": "keep", "else": "keep"}, "no conditions"),
    ({"mask": "when", "if": "x", "then": "keep", "else": "keep"}, "a condition is"),
]


@pytest.mark.parametrize(("spec", "message"), PARAMETERS, ids=lambda v: str(v)[:60])
def test_wrong_parameters_are_refused_by_name(spec: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        build_mask(spec)
    assert message in str(caught.value)
