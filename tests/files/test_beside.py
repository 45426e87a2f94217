"""What Python masks comes back beside what stayed in DuckDB: the same rows as by batches, in every format."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask.errors import MaskError
from dbmask.files import copying
from dbmask.files.beside import joined, suits
from tests.files.helpers import left_in, rows_of, run

NOISE = {"strategy": "noise", "sigma": 2, "precision": 1, "seed": 5, "on_invalid": "null"}
RULES: dict[str, Any] = {
    "id": "hash",
    "n": NOISE,
    "m": {**NOISE, "precision": 0},
    "age": {"strategy": "generalize", "step": 10},
    "gone": "drop",
}
ODD = ["", " ", 'a "b", c', "line\nbreak", "ž", "NULL", "1e3", "-7.25", "x"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "n", "note", "m", "age", "gone"])
        for i in range(25_000):
            odd = ODD[i % len(ODD)]
            writer.writerow([i, f"{i}.5" if i % 7 else odd, odd, i if i % 5 else "", odd if i % 3 else i % 90, "raw"])
    return path


def _both(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]) -> list[Any]:
    """What is read of the target when it was made beside, and by batches."""
    monkeypatch.setattr(copying, "QUICK", 0)
    taken: list[bool] = []

    def asked(*args: Any) -> bool:
        taken.append(suits(*args))
        return taken[-1] and len(taken) == 1

    monkeypatch.setattr(copying, "suits", asked)
    made = []
    for _ in range(2):
        assert run(RULES, source, target).rows == 25_000
        made.append(read(target))
    assert taken == [True, True]
    return made


def test_csv(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, batches = _both(source, tmp_path / "out.csv", monkeypatch, rows_of)
    assert beside == batches
    assert beside[0] == ["id", "n", "note", "m", "age"]
    assert left_in(tmp_path) == {"in.csv", "out.csv"}


def test_parquet(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "in.parquet"
    duckdb.sql(
        f"COPY (SELECT id::INT AS id, TRY_CAST(n AS DOUBLE) AS n, note, TRY_CAST(m AS INT) AS m, age, gone, "
        f"[id::INT] AS deep, DATE '2001-01-01' AS d FROM read_csv('{source}', all_varchar = true)) TO '{packed}'"
    )

    def read(path: Path) -> Any:
        types = duckdb.execute(f"DESCRIBE FROM '{path}'").fetchall()
        return types, duckdb.execute(f"SELECT * EXCLUDE (deep), deep::VARCHAR FROM '{path}'").fetchall()

    beside, batches = _both(packed, tmp_path / "out.parquet", monkeypatch, read)
    assert beside[1] == batches[1]
    assert [t[1] for t in beside[0]] == ["VARCHAR", "DOUBLE", "VARCHAR", "INTEGER", "VARCHAR", "INTEGER[]", "DATE"]


def test_what_cannot_be_masked_is_named_by_row(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "QUICK", 0)
    with pytest.raises(MaskError, match="field 'n': noise needs a number") as caught:
        run({**RULES, "n": {"strategy": "noise", "sigma": 1}}, source, tmp_path / "out.csv")
    assert "ž" not in str(caught.value)
    assert left_in(tmp_path) == {"in.csv"}


def test_a_file_that_grows_meanwhile_is_read_anew(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "QUICK", 0)

    def longer(*args: Any) -> str:
        with source.open("a", encoding="utf-8") as file:
            file.write("1,2,3,4,5,6\n")
        return joined(*args)

    monkeypatch.setattr(copying, "joined", longer)
    assert run(RULES, source, tmp_path / "out.csv").rows == 25_001
    last = rows_of(tmp_path / "out.csv")[-1]
    assert (last[0], last[2]) == (hashlib.sha256(b"1").hexdigest(), "3")
    assert "" not in last
