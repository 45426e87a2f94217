"""``dbmask init``: a draft that plans as it is, masks where nothing is known, and stops where nothing fits."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run
from dbmask.cloner import clone
from dbmask.discover import draft_policy, propose
from dbmask.masks.build import example_keys
from dbmask.planner import plan
from dbmask.policy import Policy
from dbmask.registry import connector_for
from dbmask.schema import TableName
from tests.fix_postgres import Postgres
from tests.real import real

SCRIPT = '''
CREATE TABLE "odd ""table""" (id INTEGER PRIMARY KEY, "null" TEXT, "a*b" TEXT, "we ""ird" TEXT);
CREATE TABLE colour (id INTEGER PRIMARY KEY, label TEXT);
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  first_name VARCHAR(40), surname VARCHAR(40),
  contact TEXT UNIQUE,
  born DATE, hired DATE,
  colour_id INTEGER REFERENCES colour (id),
  state CHAR(2), stamp TEXT, notes TEXT, settings JSON, photo BLOB, face BLOB NOT NULL,
  whole TEXT GENERATED ALWAYS AS (first_name || surname)
);
INSERT INTO colour VALUES (1, 'red'), (2, 'blue');
INSERT INTO "odd ""table""" VALUES (1, 'x', 'y', 'z');
'''

ODD = str(TableName("main", 'odd "table"'))


@pytest.fixture
def url(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(SCRIPT)
        db.executemany(
            "INSERT INTO person (first_name, surname, contact, born, colour_id, state, stamp, notes, settings, face) "
            "VALUES (?, ?, ?, '1990-01-01', 1, ?, ?, ?, '{}', x'00')",
            [
                (
                    f"A{i}",
                    f"B{i}",
                    f"p{i}@mail.example",
                    "AB"[i % 2],
                    f"s{i}",
                    f"On day {i} we spoke with A{i} at length.",
                )
                for i in range(100)
            ],
        )
    return f"sqlite:///{tmp_path / 's.db'}"


def drafted(url: str) -> str:
    with closing(connector_for(url).source(url)) as source:
        return draft_policy(propose(source))


def lines(text: str) -> dict[str, str]:
    """Column -> the rest of its line, without the reason."""
    found = [line.strip().partition(": ") for line in text.splitlines() if line.startswith("      ")]
    return {key.strip("# "): rest.partition("  #")[0].strip() for key, _, rest in found}


def test_a_draft(url: str) -> None:
    found = lines(drafted(url))
    assert found["first_name"] == "first_name"
    assert found["surname"] == "last_name"
    assert found["contact"] == "{mask: email, unique: true}"
    assert found["born"] == "{mask: date_shift, days: 180}"
    assert found["hired"] == "keep"
    assert found["state"] == "keep"
    assert found["stamp"] == "imitate"
    assert found["settings"] == '"null"'
    assert found["photo"] == '"null"'
    assert found["label"] == "keep"
    assert "no mask fits it" in found["face"]
    assert not {"colour_id", "whole"} & set(found)


def test_it_plans_but_for_what_it_leaves_open(url: str) -> None:
    text = drafted(url)
    found = plan(Policy.from_text(text), url, keys=example_keys())
    assert [p.where for p in found.problems] == ["main.person.face"]
    assert "is not named in the policy" in str(found.problems[0])
    decided = text.replace("      # face: no mask fits it", "      face: keep  #")
    made = plan(Policy.from_text(decided), url, keys=example_keys()).require()
    by_name = {str(t.name): {c.column.name: c.mask for c in t.columns} for t in made}
    assert by_name[ODD] == {"id": "keep", "null": "imitate", "a*b": "imitate", 'we "ird': "imitate"}
    assert by_name["main.person"]["notes"] == "text"
    assert (
        "on_nothing: redact" in text
    )  # rules find what they know: a text without findings is not known to be harmless


def test_three_rows_are_not_too_few_to_mask(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("CREATE TABLE t (code TEXT, label TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [("a", "x"), ("a", "x"), ("b", "y")])
    assert lines(drafted(f"sqlite:///{tmp_path / 's.db'}")) == {"code": "imitate", "label": "imitate"}


def test_the_command(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.yaml"
    assert run(["init", url, "-o", str(out)]) == 0
    assert "1 to decide" in capsys.readouterr().err
    before = out.read_text("utf-8")
    assert run(["init", url, "-o", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text("utf-8") == before
    assert run(["init", url]) == 0
    assert capsys.readouterr().out == before
    assert run(["init", url, "-o", str(tmp_path / "no" / "p.yaml")]) == 2
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    assert run(["plan", str(out), "--source", url]) == 2
    assert "face: is not named" in capsys.readouterr().err


@pytest.mark.slow
def test_pagila_is_cloned_by_its_draft(postgres: Postgres, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    script = gzip.decompress(real("databases/pagila.sql.gz").read_bytes()).decode()
    postgres.psql(name, "\n".join(line for line in script.splitlines() if " OWNER TO " not in line))
    text = drafted(postgres_db)
    found = lines(text)
    assert found["first_name"] == "first_name"
    assert found["phone"] == "phone"
    assert found["password"] in ("hash", "{mask: hash, length: 40}")
    try:
        done = clone(Policy.from_text(text), postgres_db, f"{postgres_db}_drafted", keys=example_keys())
    finally:
        postgres.drop_database(f"{name}_drafted")
    assert done.certificate.passed
