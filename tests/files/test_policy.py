"""Files masked by a policy: a file is a table, default deny, the same values as elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask import Policy
from dbmask.errors import MaskError, PlanError, PolicyError, UsageError
from dbmask.files import FileJob, FileResult, copying, mask_file
from tests.files.helpers import KEYS, left_in, rows_of

_CSV = """id,first_name,email,notes,city
1,Sarah,sarah@x.org,"Sarah called, again",Brno
2,John,john@x.org,"no names",Praha
3,,,,Brno
"""
_COLUMNS = {
    "id": {"mask": "hash", "length": 12},
    "first_name": "first_name",
    "email": {"mask": "email", "unique": True},
    "notes": {
        "mask": "text",
        "matchers": {"context_sources": [{"label": "NAME", "column": "first_name"}]},
        "masks": [{"label": "NAME", "masks": [{"type": "fixed", "value": "[NAME]"}]}],
    },
    "city": "keep",
}


@pytest.fixture(params=["python", "duckdb"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading a CSV."""
    monkeypatch.setattr(copying, "QUICK", 0 if request.param == "duckdb" else 1 << 60)
    return str(request.param)


def _policy(columns: Any, table: str = "customers", **more: Any) -> Policy:
    body = {"columns": columns, **more} if isinstance(columns, dict) else columns
    return Policy.from_dict({"version": 1, "tables": {table: body}})


def _run(policy: Policy, source: Path, target: Path, **options: Any) -> FileResult:
    return mask_file(FileJob(policy, KEYS, source=str(source), target=str(target), **options))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """customers.csv."""
    path = tmp_path / "customers.csv"
    path.write_text(_CSV, "utf-8")
    return path


def test_every_kind_of_mask(tmp_path: Path, source: Path, way: str) -> None:
    _run(_policy(_COLUMNS), source, tmp_path / "out.csv")
    header, *rows = rows_of(tmp_path / "out.csv")
    assert header == ["id", "first_name", "email", "notes", "city"]
    assert [r[3] for r in rows] == ["[NAME] called, again", "no names", ""]
    assert [r[4] for r in rows] == ["Brno", "Praha", "Brno"]
    assert rows[2][1:4] == ["", "", ""]
    assert len(rows[0][0]) == 12
    assert rows[0][1] not in ("Sarah", "")
    assert "sarah" not in rows[0][2]


def test_what_texts_hold_is_counted(tmp_path: Path, source: Path, way: str) -> None:
    """In CSV, Parquet and JSON Lines; texts without findings are named by their number."""
    policy, counted = _policy(_COLUMNS), []
    path = source
    for end in ("parquet", "jsonl", "csv"):
        done = _run(_policy({"*": "keep"}), path, tmp_path / f"customers.{end}", table="customers")
        assert done.found == {}
        path = tmp_path / f"customers.{end}"
        counted.append(dict(_run(policy, path, tmp_path / "out.csv").found["notes"]))
    assert counted[0] == counted[1] == counted[2]
    assert counted[0]["spans"] == [{"label": "NAME", "matcher": "context_sources", "count": 1}]
    assert (counted[0]["texts"], counted[0]["rows_without_findings"]) == (2, ["text 2"])


def test_both_ways_and_all_formats_agree(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for least in (0, 1 << 60):
        monkeypatch.setattr(copying, "QUICK", least)
        _run(_policy(_COLUMNS), source, tmp_path / "out.csv")
        made.append(rows_of(tmp_path / "out.csv"))
    _run(_policy(_COLUMNS), source, tmp_path / "out.jsonl")
    _run(_policy(_COLUMNS), source, tmp_path / "out.parquet")
    assert made[0] == made[1]
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [list(line.values()) for line in lines] == made[0][1:]
    typed = duckdb.execute(f"SELECT * FROM '{tmp_path / 'out.parquet'}'").fetchall()
    assert [list(r) for r in typed] == made[0][1:]


def test_a_column_that_is_not_named_is_refused(tmp_path: Path, source: Path) -> None:
    columns = {k: v for k, v in _COLUMNS.items() if k != "city"}
    with pytest.raises(PlanError, match="city: is not named in the policy"):
        _run(_policy(columns), source, tmp_path / "out.csv")
    with pytest.raises(PlanError, match="email"):
        _run(_policy({"emial": "hash", **_COLUMNS}), source, tmp_path / "out.csv")
    assert left_in(tmp_path) == {"customers.csv"}


def test_which_table_is_meant(tmp_path: Path, source: Path) -> None:
    two = {"version": 1, "tables": {"shop.customers": {"columns": _COLUMNS}, "shop.orders": "keep"}}
    assert _run(Policy.from_dict(two), source, tmp_path / "out.csv").rows == 3
    other = tmp_path / "export-2026.csv"
    source.rename(other)
    with pytest.raises(PolicyError, match="--table"):
        _run(Policy.from_dict(two), other, tmp_path / "out2.csv")
    assert _run(Policy.from_dict(two), other, tmp_path / "out2.csv", table="shop.customers").rows == 3
    assert rows_of(tmp_path / "out.csv") == rows_of(tmp_path / "out2.csv")
    assert _run(_policy(_COLUMNS, "whatever"), other, tmp_path / "out3.csv").rows == 3


def test_kept_empty_and_filtered(tmp_path: Path, source: Path, way: str) -> None:
    assert _run(_policy("keep"), source, tmp_path / "out.csv").rows == 3
    assert rows_of(tmp_path / "out.csv") == rows_of(source)
    with pytest.raises(UsageError, match="nothing to write"):
        _run(_policy("skip"), source, tmp_path / "none.csv")
    stream = FileJob(_policy(_COLUMNS, where="city = 'Brno'"), KEYS, target=str(tmp_path / "s.csv"))
    with pytest.raises(UsageError, match="not a stream"):
        mask_file(stream, io.BytesIO(_CSV.encode()))
    _run(_policy(_COLUMNS, where="city = 'Brno'"), source, tmp_path / "brno.csv")
    assert [r[4] for r in rows_of(tmp_path / "brno.csv")[1:]] == ["Brno", "Brno"]


def test_shuffle_needs_all_rows(tmp_path: Path, source: Path, way: str) -> None:
    kept = dict.fromkeys(_COLUMNS, "keep")
    _run(_policy({**kept, "id": "shuffle"}), source, tmp_path / "out.csv")
    made = rows_of(tmp_path / "out.csv")[1:]
    assert sorted(r[0] for r in made) == ["1", "2", "3"]
    assert [r[4] for r in made] == ["Brno", "Praha", "Brno"]


def test_the_anonymizer_over_a_file(tmp_path: Path, way: str) -> None:
    source = tmp_path / "people.csv"
    source.write_text("rc,born,first,last,note\n925516/0006,1992-05-16,Jana,Nováková,x\n,,,,\n", "utf-8")
    body = {
        "columns": {"note": "keep"},
        "anonymizer": {
            "rc": "rc",
            "birthDate": "born",
            "firstName": "first",
            "lastName": "last",
            "birthDayMin": "1901-01-01",
            "birthDayMax": "2008-04-23",
            "nameLookupFileName": "builtin:cs",
        },
    }
    policy = Policy.from_dict({"version": 1, "tables": {"people": body}})
    _run(policy, source, tmp_path / "out.csv")
    made = rows_of(tmp_path / "out.csv")
    assert made[0] == ["rc", "born", "first", "last", "note"]
    assert made[1][0] != "925516/0006"
    assert made[1][3] != "Nováková"
    assert made[1][4] == "x"
    assert made[2] == ["", "", "", "", ""]


def test_types_of_parquet_are_known(tmp_path: Path) -> None:
    source = tmp_path / "orders.parquet"
    sql = "SELECT range::INTEGER + 100 AS id, DATE '2024-01-01' + range::INTEGER AS day, 1.5::DECIMAL(8,2) AS price FROM range(50)"
    duckdb.execute(f"COPY ({sql}) TO '{source}' (FORMAT parquet)")
    columns = {"id": "permute", "day": {"mask": "date_shift", "days": 30}, "price": "keep"}
    _run(_policy(columns, "orders"), source, tmp_path / "out.parquet")
    described = duckdb.execute(f"DESCRIBE SELECT * FROM '{tmp_path / 'out.parquet'}'").fetchall()
    assert [r[1] for r in described] == ["INTEGER", "DATE", "DECIMAL(8,2)"]
    ids = [r[0] for r in duckdb.execute(f"SELECT id FROM '{tmp_path / 'out.parquet'}'").fetchall()]
    assert len(set(ids)) == 50
    assert set(ids) != set(range(100, 150))
    wrong = {"id": "hash", "day": "keep", "price": "keep"}
    with pytest.raises(PlanError, match="use permute"):
        _run(_policy(wrong, "orders"), source, tmp_path / "out2.parquet")


def test_a_text_that_cannot_be_masked_names_its_line(tmp_path: Path, way: str) -> None:
    source = tmp_path / "customers.csv"
    source.write_text("n,keepme\n1,x\nsecret,y\n", "utf-8")
    columns = {"n": {"mask": "noise", "sigma": 1, "on_invalid": "error"}, "keepme": "keep"}
    with pytest.raises(MaskError) as caught:
        _run(_policy(columns), source, tmp_path / "out.csv")
    assert "customers.csv:3: field 'n'" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert left_in(tmp_path) == {"customers.csv"}


def test_json_records_are_rows(tmp_path: Path) -> None:
    source = tmp_path / "customers.jsonl"
    source.write_text(
        '{"id": 17, "first_name": "Sarah", "price": 1.50, "tags": ["a", 1.0]}\n'
        '{"first_name": null, "id": 18}\n'
        '{"price": 2, "id": 19, "first_name": ""}\n',
        "utf-8",
    )
    columns = {"id": "permute", "first_name": "first_name", "price": "keep", "tags": "keep"}
    assert _run(_policy(columns), source, tmp_path / "out.jsonl").rows == 3
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    made = [json.loads(line) for line in lines]
    assert '"price": 1.50, "tags": ["a", 1.0]' in lines[0]
    assert [sorted(r) for r in made] == [
        ["first_name", "id", "price", "tags"],
        ["first_name", "id"],
        ["first_name", "id", "price"],
    ]
    assert made[0]["id"] != 17
    assert made[0]["first_name"] != "Sarah"
    assert made[1]["first_name"] is None
    assert made[2]["first_name"] == ""
    _run(_policy(columns), source, tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv")[1][0] == str(made[0]["id"])
    with pytest.raises(PlanError, match="tags: is not named"):
        _run(_policy({k: v for k, v in columns.items() if k != "tags"}), source, tmp_path / "none.jsonl")
    _run(_policy({**columns, "id": "shuffle"}), source, tmp_path / "shuffled.jsonl")
    shuffled = [json.loads(line) for line in (tmp_path / "shuffled.jsonl").read_text("utf-8").splitlines()]
    assert sorted(r["id"] for r in shuffled) == [17, 18, 19]
    assert [sorted(r) for r in shuffled] == [sorted(r) for r in made]
