"""Subsets by policy and by command line, on a shop in SQLite: what is chosen, what is refused, what is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dbmask.cli import cli
from dbmask.cloner import CloneResult, clone, verify_replica
from dbmask.cloner.subset_rules import parse_share
from dbmask.errors import PolicyError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy

SCRIPT = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, sponsor INTEGER REFERENCES customer (id));
CREATE TABLE product (id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer (id), day INTEGER);
CREATE TABLE line (purchase_id INTEGER REFERENCES purchase (id), nr INTEGER, sku TEXT REFERENCES product (sku),
                   PRIMARY KEY (purchase_id, nr));
CREATE TABLE ticket (customer_no INTEGER, what TEXT);
CREATE TABLE note (what TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO customer SELECT i, 'Name ' || i, nullif(i / 2, 0) FROM n;
INSERT INTO product SELECT id, 'P' || id FROM customer WHERE id <= 50;
INSERT INTO purchase SELECT id * 3 + k, id, id % 365 FROM customer, (SELECT 0 AS k UNION SELECT 1 UNION SELECT 2);
INSERT INTO line SELECT id, 1, 'P' || (id % 50 + 1) FROM purchase UNION ALL SELECT id, 2, 'P' || (id % 7 + 1) FROM purchase;
INSERT INTO ticket SELECT id, 'about ' || name FROM customer;
INSERT INTO note SELECT name FROM customer;
"""
POLICY = """version: 1
relations: [ticket.customer_no -> customer.id]
tables:
  customer: {columns: {id: permute, name: {mask: hash, length: 20}}}
  product: {columns: {id: keep, sku: hash}}
  purchase: {columns: {id: keep, day: keep}}
  line: {columns: {nr: keep}}
  ticket: {columns: {what: redact}}
  note: keep
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "source.db")) as db, db:
        db.executescript(SCRIPT)
    return f"sqlite:///{tmp_path}/source.db"


def run(source: str, text: str = POLICY, **options: Any) -> CloneResult:
    target = source.replace("source.db", "replica.db")
    return clone(Policy.from_text(text, "yaml"), source, target, keys=example_keys(), overwrite=True, **options)


def ask(source: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(source.removeprefix("sqlite:///").replace("source.db", "replica.db"))) as db:
        return db.execute(query).fetchall()


def counts(done: CloneResult) -> dict[str, int]:
    return {name.name: rows for name, rows in done.rows.items()}


def test_a_tenth_of_a_shop_holds_together(source: str) -> None:
    found = counts(run(source, share="10%"))
    assert 60 < found["customer"] < 320  # with their sponsors, and those of these
    assert ask(source, "PRAGMA foreign_key_check") == []
    assert ask(source, "SELECT count(*) FROM ticket WHERE customer_no NOT IN (SELECT id FROM customer)") == [(0,)]
    assert 40 < found["note"] < 170
    assert found["line"] == 2 * found["purchase"]  # children follow whole
    assert found["purchase"] % 3 == 0 and found["purchase"] // 3 <= found["customer"]
    assert found == counts(run(source, share="10%"))


def test_what_is_left_out_is_said(source: str) -> None:
    done = run(source, share="10%")
    assert "main.customer: rows outside of the subset" in done.certificate.left_out
    assert done.certificate.passed


def test_a_trial_has_few_rows_of_each_table(source: str) -> None:
    found = counts(run(source, max_rows=5))
    assert found["customer"] == 5 and found["purchase"] == 5 and found["line"] == 5 and found["note"] == 5
    assert ask(source, "PRAGMA foreign_key_check") == []


def test_a_tables_own_number_comes_before_that_of_the_command_line(source: str) -> None:
    text = POLICY.replace("note: keep", "note: {mode: keep, max_rows: 7}")
    assert counts(run(source, text, max_rows=5))["note"] == 7
    assert counts(run(source, text)) == {
        "customer": 1000, "product": 50, "purchase": 3000, "line": 6000, "ticket": 1000, "note": 7
    }  # fmt: skip


def test_children_of_excluded_rows_are_out(source: str) -> None:
    text = POLICY.replace("customer: {", "customer: {where: id <> 2, ")
    found = counts(run(source, text))
    # Sponsors are a tree: under 2 stand 4 and 5, and so on.
    below = 0
    for number in range(1, 1001):
        above = number
        while above > 2:
            above //= 2
        below += above == 2
    assert found["customer"] == 1000 - below and found["purchase"] == 3 * (1000 - below)
    assert found["ticket"] == 1000 - below and found["note"] == 1000


def test_seeds_and_whole_tables(source: str) -> None:
    text = POLICY + "subset: {share: 0%, tables: {customer: 10%}, whole: [note]}\n"
    found = counts(run(source, text))
    assert found["note"] == 1000 and found["product"] > 0 and found["line"] == 2 * found["purchase"] > 0


def test_no_key_is_needed_where_no_mask_is_keyed(source: str) -> None:
    text = "version: 1\ndefault: keep\ntables: {note: keep}\nsubset: 10%\n"
    done = clone(Policy.from_text(text, "yaml"), source, source.replace("source.db", "replica.db"))
    assert 0 < counts(done)["note"] < 1000


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("5", "between 0% and 100%"),
        ("lots", "a share is written 5%"),
        ("{shares: 5%}", "unknown key 'shares'"),
        ("{share: 5%, tables: {custmer: 5%}}", "there is no table custmer"),
        ("{share: 5%, whole: note}", "`whole:` is a list"),
        ("{share: 5%, tables: [note]}", "`tables:` is a mapping"),
        ("{share: 5%, whole: [a.b.c]}", "table name"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(source: str, section: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        run(source, POLICY + f"subset: {section}\n")


@pytest.mark.parametrize("text", ["5 %", "0.5", True, None, "-1%", "101%", 2])
def test_shares(text: Any) -> None:
    if text == "5 %":
        assert parse_share(text) * 20 == 1
    else:
        with pytest.raises(ValueError, match="share"):
            parse_share(text)


def test_a_subset_is_not_resumed(source: str) -> None:
    with pytest.raises(UsageError, match="cannot be resumed"):
        run(source, share="5%", resume=True)


def test_verify_knows_the_subset(source: str) -> None:
    replica = source.replace("source.db", "replica.db")
    run(source, share="10%")
    policy = Policy.from_text(POLICY, "yaml")
    assert verify_replica(policy, source, replica, keys=example_keys(), share="10%").passed
    assert not verify_replica(policy, source, replica, keys=example_keys()).passed


def test_the_command_line(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "ab" * 32)
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    ends = ["--source", source, "--target", source.replace("source.db", "replica.db"), "--quiet", "--subset", "10%"]
    state = ["--state", f"sqlite:///{tmp_path}/state.db"]
    done = CliRunner().invoke(cli, ["clone", str(tmp_path / "p.yaml"), *ends, *state])
    assert done.exit_code == 0, done.output
    assert "Not in the replica: main.customer: rows outside of the subset" in done.output
    checked = CliRunner().invoke(cli, ["verify", str(tmp_path / "p.yaml"), *ends])
    assert checked.exit_code == 0, checked.output
