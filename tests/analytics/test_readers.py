"""Files as columns of codes: labels in the order of their first appearance, whether values are few or many."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import numpy as np
import pytest

from dbmask.analytics import utility
from dbmask.analytics.numbers import all_floats, floats
from dbmask.analytics.readers import read_file


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_codes(tmp_path: Path, kind: str) -> None:
    rows = [[str(i * 7919 % 5003), f'w"{i % 5}, "', "" if i % 3 else "ž"] for i in range(9000)]
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["many", "few", "g"], *rows])
    if kind == "parquet":
        duckdb.sql(f"COPY (FROM read_csv('{path}', all_varchar = true, nullstr = 'no')) TO '{path}.parquet'")
        path = Path(f"{path}.parquet")
    frame = read_file(str(path))
    assert frame.rows == 9000
    for at, name in enumerate(("many", "few", "g")):
        values = [row[at] for row in rows]
        column = frame.columns[name]
        assert list(column.labels) == list(dict.fromkeys(values))
        assert [column.labels[code] for code in column.codes.tolist()] == values


def test_nulls_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(f"COPY (SELECT CASE WHEN i % 2 = 0 THEN i END AS n, 1 AS o FROM range(4000) t(i)) TO '{path}'")
    frame = read_file(str(path), ["n", "nope"])
    assert list(frame.columns) == ["n"]
    assert list(frame.columns["n"].labels[:3]) == ["0", "None", "2"]


def test_labels_that_spell_numbers() -> None:
    labels = [*map(str, range(600)), "1e3", " 7 ", "1_0", "inf", "nan", "", "x", "-0.5"]
    expected = [*map(float, range(600)), 1000.0, 7.0, *[np.nan] * 5, -0.5]
    assert np.array_equal(floats(labels), expected, equal_nan=True)
    assert all_floats(labels) is None
    assert all_floats(["1", "", "2"]) is not None


def test_new_labels_and_known_ones() -> None:
    before = [{"a": str(n), "b": "k"} for n in (3, 1, 2, 1)]
    after = [{"a": str(n), "b": "k"} for n in (9, 1, 2, 3)]
    (kept,) = utility.run(before, after, metrics=["field_retention"])
    assert kept.summary["per_field"]["a"]["unchanged"] == 2
    (loss,) = utility.run(before, after, metrics=["information_loss"])
    assert loss.summary["per_field"]["a"]["ili"] == (6 + 2) / (4 * 2)
