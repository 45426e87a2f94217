"""`dbmask analyze`: lists of fields, exit codes, files of every kind, a database's own grouping."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from dbmask.cli import run
from dbmask.cli.analyze import spread

CSV = "age,postal_code,diagnosis\n30-35,75001,Flu\n30-35,75001,Diabetes\n30-35,75001,Flu\n40-45,75002,Flu\n"


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_lists_take_words_up_to_the_next_option() -> None:
    assert spread(["--qi", "a", "b", "--sa", "c"]) == ["--qi", "a", "--qi", "b", "--sa", "c"]


def test_a_missed_threshold_exits_3(masked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["analyze", "risk", "--input", str(masked), "--qi", "age", "postal_code", "--sa", "diagnosis"]
    assert run(args) == 3
    out = capsys.readouterr().out
    assert "✗  k-Anonymity               k_min=1     failed" in out
    assert out.endswith("0 of 3 metrics passed\n")
    assert run([*args, "--no-fail"]) == 0
    assert run([*args, "--preset", "exploratory", "--analytics", "t_closeness"]) == 0
    assert run(["analyze", "risk", "--input", str(masked), "--qi", "nope"]) == 2


def test_a_database_gives_the_same_figures(masked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = masked.parent / "d.duckdb"
    with duckdb.connect(str(path)) as session:
        session.execute("CREATE TABLE visits AS SELECT * FROM read_csv($1, all_varchar = true)", [str(masked)])
    tail = ["--qi", "age", "postal_code", "--sa", "diagnosis", "--format", "json", "--no-fail"]
    found = []
    for source in (["--input", str(masked)], ["--source", f"duckdb:///{path}", "--table", "visits"]):
        assert run(["analyze", "risk", *source, *tail]) == 0
        found.append([r["summary"] for r in json.loads(capsys.readouterr().out)["results"]])
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["parquet", "json", "jsonl"])
def test_files_of_every_kind(masked: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = masked.with_suffix(f".{kind}")
    if kind == "parquet":
        duckdb.sql(f"COPY (FROM read_csv('{masked}', all_varchar = true)) TO '{other}'")
    else:
        names, *rows = [line.split(",") for line in CSV.splitlines()]
        records = [dict(zip(names, row, strict=True)) for row in rows]
        text = json.dumps(records) if kind == "json" else "\n".join(json.dumps(r) for r in records)
        other.write_text(text, encoding="utf-8")
    assert run(["analyze", "utility", "--original", str(masked), "--anonymized", str(other)]) == 0
    assert "✓  Field Retention           score=1.00  passed" in capsys.readouterr().out
