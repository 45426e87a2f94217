"""Parquet in and out: types of untouched columns stay, nested values are reached, other formats lead in and out."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask.errors import MaskError, UsageError
from dbmask.files.problems import InputError
from tests.files.helpers import left_in, rows_of, run

_SQL = """SELECT * FROM (VALUES
 (1, 'a@x.org', 1.50::DECIMAL(8,2), DATE '1995-06-15', TIMESTAMP '2024-01-01 10:00:00', 27, {'e': 'aa', 'n': [1, 2]}, 10.5),
 (2, NULL, 2.25::DECIMAL(8,2), NULL, NULL, 34, {'e': 'b', 'n': [3]}, 20.5))
 AS t(id, email, price, born, seen, age, deep, score)"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with many types."""
    path = tmp_path / "in.parquet"
    duckdb.execute(f"COPY ({_SQL}) TO '{path}' (FORMAT parquet)")
    return path


def _rows(path: Path) -> list[Any]:
    return list(duckdb.execute(f"SELECT * FROM '{path}'").fetchall())


def _types(path: Path) -> dict[str, str]:
    return {r[0]: r[1] for r in duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}


def test_untouched_columns_keep_type_and_value(tmp_path: Path, source: Path) -> None:
    rules = {
        "email": "hash",
        "age": {"strategy": "generalize", "step": 10},
        "born": {"strategy": "generalize", "method": "date_year"},
    }
    run(rules, source, tmp_path / "out.parquet")
    made, given = _rows(tmp_path / "out.parquet"), _rows(source)
    assert [r[5] for r in made] == ["20-30", "30-40"]
    assert [r[3] for r in made] == ["1995", None]
    assert made[1][1] == ""
    for place in (0, 2, 4, 6, 7):
        assert [r[place] for r in made] == [r[place] for r in given]
    before, after = _types(source), _types(tmp_path / "out.parquet")
    assert {n: t for n, t in after.items() if n not in rules} == {n: t for n, t in before.items() if n not in rules}


def test_masks_in_python_stay_typed(tmp_path: Path, source: Path) -> None:
    rules = {"score": {"strategy": "noise", "sigma": 1, "seed": 3}, "age": {"strategy": "noise", "sigma": 3, "seed": 1}}
    run(rules, source, tmp_path / "out.parquet")
    made = _rows(tmp_path / "out.parquet")
    assert [r[0] for r in made] == [1, 2]
    assert made[0][7] != Decimal("10.5")
    assert abs(float(made[0][7]) - 10.5) < 8
    assert _types(tmp_path / "out.parquet")["age"] == "INTEGER"
    assert left_in(tmp_path) == {"in.parquet", "out.parquet"}


def test_nested_rules(tmp_path: Path, source: Path) -> None:
    run({"deep.e": "redact", "id": "drop"}, source, tmp_path / "out.jsonl")
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [r["deep"] for r in made] == [{"e": "**", "n": [1, 2]}, {"e": "*", "n": [3]}]
    assert made[0]["price"] == 1.5
    assert made[0]["born"] == "1995-06-15"
    assert "id" not in made[0]
    run({"deep.e": "redact"}, source, tmp_path / "out.parquet")
    again = _rows(tmp_path / "out.parquet")
    assert [r[:6] for r in again] == [r[:6] for r in _rows(source)]
    assert "aa" not in str(again[0][6])


def test_into_csv_and_back(tmp_path: Path, source: Path) -> None:
    run({"email": "redact"}, source, tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv")[1:] == [
        ["1", "*******", "1.50", "1995-06-15", "2024-01-01 10:00:00", "27", '{"e":"aa","n":[1,2]}', "10.5"],
        ["2", "", "2.25", "", "", "34", '{"e":"b","n":[3]}', "20.5"],
    ]
    run({"id": "keep"}, tmp_path / "out.csv", tmp_path / "back.parquet")
    assert set(_types(tmp_path / "back.parquet").values()) == {"VARCHAR"}


def test_from_json_numbers_and_booleans_are_typed(tmp_path: Path) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text('{"a": 1, "b": 1.5, "c": true, "d": "007", "e": {"x": 1}}\n{"a": 2, "f": 3}\n')
    run({"d": "keep"}, given, tmp_path / "out.parquet")
    assert list(_types(tmp_path / "out.parquet").values()) == [
        "BIGINT",
        "DOUBLE",
        "BOOLEAN",
        "VARCHAR",
        "VARCHAR",
        "BIGINT",
    ]
    assert _rows(tmp_path / "out.parquet") == [(1, 1.5, True, "007", '{"x": 1}', None), (2, None, None, None, None, 3)]


def test_dates_stay_dates(tmp_path: Path, source: Path) -> None:
    run({"born": "keep", "email": "drop"}, source, tmp_path / "out.parquet")
    assert _rows(tmp_path / "out.parquet")[0][2] == dt.date(1995, 6, 15)


def test_names_with_characters_of_patterns(tmp_path: Path, source: Path) -> None:
    odd = tmp_path / "we[i]rd*'.parquet"
    source.rename(odd)
    run({"email": "redact"}, odd, tmp_path / "out?'.parquet")
    assert left_in(tmp_path) == {odd.name, "out?'.parquet"}
    (tmp_path / "out?'.parquet").rename(tmp_path / "out.parquet")
    assert [r[1] for r in _rows(tmp_path / "out.parquet")] == ["*******", ""]


def test_what_is_no_parquet(tmp_path: Path) -> None:
    broken = tmp_path / "in.parquet"
    broken.write_bytes(b"a,b\n1,secret\n" * 10)
    with pytest.raises(InputError) as caught:
        run({"a": "hash"}, broken, tmp_path / "out.parquet")
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be read"):
        run({"a": "hash"}, tmp_path / "none.parquet", tmp_path / "out.parquet")
    assert left_in(tmp_path) == {"in.parquet"}


def test_a_row_is_named_where_a_mask_fails(tmp_path: Path, source: Path) -> None:
    with pytest.raises(MaskError, match="row 1: field 'email': noise needs a number"):
        run({"email": {"strategy": "noise"}}, source, tmp_path / "out.parquet")
    assert left_in(tmp_path) == {"in.parquet"}
