"""`dbmask analyze`: lists of fields, exit codes, files of every kind, a database's own grouping."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import duckdb
import pytest

from dbmask.cli import run
from dbmask.cli.analyze import spread
from tests.fix_postgres import Postgres

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


def test_the_original_stands_beside(masked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The original in a file and in a database, the masked data in either."""
    original = masked.with_name("original.csv")
    original.write_text(CSV.replace("30-35", "31", 1), encoding="utf-8")
    path = masked.parent / "d.duckdb"
    with duckdb.connect(str(path)) as session:
        for name, file in (("masked", masked), ("visits", original)):
            session.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv($1, all_varchar = true)", [str(file)])
    url = f"duckdb:///{path}"
    tail = ["--qi", "age", "postal_code", "--sa", "diagnosis", "--no-fail"]
    said = set()
    for measured in (["--input", str(masked)], ["--source", url, "--table", "masked"]):
        for before in (["--original", str(original)], ["--original", url, "--original-table", "visits"]):
            assert run(["analyze", "risk", *measured, *before, *tail]) == 0
            said.add(capsys.readouterr().out)
    assert said == {
        "✗  k-Anonymity               k_min=1     failed  (before: 1)\n"
        "✗  l-Diversity               l_min=1     failed  (before: 1)\n"
        "✗  t-Closeness               t_max=0.25  failed  (before: 0.25)\n"
        "0 of 3 metrics passed\n"
    }
    assert (
        run(["analyze", "risk", "--source", url, "--table", "visits", "--original", url, *tail, "--format", "json"])
        == 0
    )
    k = json.loads(capsys.readouterr().out)["results"][0]["summary"]
    assert (k["num_classes"], k["source"]["num_classes"]) == (3, 3)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["risk", "--qi", "age", "--original", "sqlite:///x.db"], id="a database without a table"),
        pytest.param(["risk", "--qi", "age", "--original-table", "t"], id="a table without a database"),
        pytest.param(["risk", "--qi", "age", "--original", "x.csv", "--original-table", "t"], id="a table of a file"),
        pytest.param(["risk", "--qi", "age", "--original", "sqlite:///x.db", "--table", "t"], id="whose table"),
    ],
)
def test_what_is_before_is_told_apart(masked: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", *options, "--input", str(masked)]) == 2
    assert "--original-table" in capsys.readouterr().err


def test_a_table_of_two_files_is_refused(masked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "utility", "--original", str(masked), "--anonymized", str(masked), "--table", "t"]) == 2
    assert "--table goes with --source or --target" in capsys.readouterr().err


UTILITY = ["analyze", "utility", "--table", "visits", "--metrics", "field_retention", "--no-fail", "--format", "json"]


def retained(out: str) -> dict[str, float]:
    return {f["field"]: f["retention_rate"] for f in json.loads(out)["results"][0]["details"]}


@pytest.mark.parametrize("server", ["sqlite", "postgres"])
def test_rows_whose_key_is_masked_are_not_paired(
    server: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference sees each row keep its diagnosis; paired by masked keys, none of them would."""
    rows = [(i, f"code{i}", f"flu{i}") for i in range(1, 9)]
    masked = [(100 - i, code, ill) for i, code, ill in rows]
    urls = []
    for name, data in (("visits", rows), ("masked", masked)):
        made = f"CREATE TABLE visits (id int PRIMARY KEY, code text, diagnosis text); INSERT INTO visits VALUES {str(data)[1:-1]};"
        if server == "sqlite":
            with closing(sqlite3.connect(tmp_path / f"{name}.db")) as db, db:
                db.executescript(made)
            urls.append(f"sqlite:///{tmp_path / name}.db")
        else:
            pg: Postgres = request.getfixturevalue("postgres")
            database = f"utility_{os.getpid()}_{name}"
            urls.append(pg.create_database(database))
            request.addfinalizer(partial(pg.drop_database, database))
            pg.psql(database, made)
    both = [*UTILITY, "--source", urls[0], "--target", urls[1]]
    assert run(both) == 2
    said = capsys.readouterr()
    assert "paired by id, whose values differ in 8 of 8 rows" in said.err and "--key" in said.err and not said.out
    assert run([*both, "--key", "code"]) == 0
    assert retained(capsys.readouterr().out) == {"id": 0.0, "code": 1.0, "diagnosis": 1.0}
    assert run([*UTILITY, "--source", urls[0], "--target", urls[0]]) == 0
    capsys.readouterr()
    assert run([*both, "--key", "nothing"]) == 2
    assert "Field 'nothing' not found in visits" in capsys.readouterr().err
    assert run([*UTILITY, "--source", urls[0], "--anonymized", "x.csv", "--key", "code"]) == 2
    assert "--key goes with --source and --target" in capsys.readouterr().err


def test_columns_that_rows_share_pair_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "v.db")) as db, db:
        db.executescript("CREATE TABLE visits (code TEXT, ill TEXT); INSERT INTO visits VALUES ('a', 'x'), ('a', 'y')")
    both = [*UTILITY, "--source", f"sqlite:///{tmp_path}/v.db", "--target", f"sqlite:///{tmp_path}/v.db"]
    assert run(both) == 2
    assert "has no primary key" in capsys.readouterr().err
    assert run([*both, "--key", "code"]) == 2
    assert "several rows have in common" in capsys.readouterr().err
    assert run([*both, "--key", "code", "ill"]) == 0


def test_a_report_that_cannot_be_written_is_said(masked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = masked.parent / "nowhere" / "report.html"
    assert run(["analyze", "risk", "--input", str(masked), "--qi", "age", "--report", str(place), "--no-fail"]) == 2
    assert f"{place} cannot be written: No such file or directory" in capsys.readouterr().err
