"""Values of masked columns are found in the replica wherever they stand, and chance is not taken for a leak."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.cloner import CloneResult, clone
from dbmask.cloner.certificate import Check
from dbmask.errors import CheckFailed, UsageError
from dbmask.masks.build import example_keys
from dbmask.planner.telling import telling
from dbmask.policy import Policy

PEOPLE = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, phone BIGINT);
CREATE TABLE other (id INTEGER PRIMARY KEY, x {type});
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO person SELECT i, 'Christopher', 'Person' || i || '@shop.example', 420600000000 + i * 7919 FROM n;
INSERT INTO other {values};
"""
POLICY = """version: 1
{more}
tables:
  person:
    columns:
      id: keep
      name: first_name
      mail: {{mask: hash, length: 20}}
      phone: {{mask: permute, low: 100000000000, high: 999999999999}}
  other: {{columns: {{id: keep, x: {mask}}}}}
"""


def run(
    tmp_path: Path, values: str, type_: str = "TEXT", mask: str = "keep", more: str = "", people: str = POLICY
) -> CloneResult:
    source = tmp_path / "s.db"
    with closing(sqlite3.connect(source)) as db, db:
        db.executescript(PEOPLE.format(type=type_, values=values))
    policy = Policy.from_text(people.format(mask=mask, more=more))
    return clone(policy, f"sqlite:///{source}", f"sqlite:///{tmp_path / 't.db'}", keys=example_keys())


def residue(done: CloneResult) -> dict[str, Check]:
    return {c.subject: c for c in done.certificate.checks if c.kind == "residue"}


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ("SELECT id, mail FROM person", "TEXT"),
        ("SELECT id, lower(mail) || ' ' FROM person WHERE id = 7", "TEXT"),
        ('SELECT id, \'{"who": [{"mail": "\' || mail || \'"}]}\' FROM person WHERE id = 7', "TEXT"),
        ("SELECT id, '{\"who\": {\"phone\": ' || phone || '}}' FROM person WHERE id = 7", "JSON"),
        ("SELECT id, 'changed <' || mail || '>, told him' FROM person WHERE id = 7", "TEXT"),
        ("SELECT id, phone FROM person WHERE id = 7", "BIGINT"),
        ("SELECT id, CAST(phone AS TEXT) FROM person WHERE id = 7", "TEXT"),
    ],
)
def test_a_value_under_another_name_stops_the_clone(tmp_path: Path, values: str, type_: str) -> None:
    with pytest.raises(
        CheckFailed, match=r"main\.person\.\w+: its values stand in main\.other\.x \([\d,]+ times; keep\)"
    ) as caught:
        run(tmp_path, values, type_)
    assert "person7@" not in str(caught.value).lower() and "4206000" not in str(caught.value)
    assert not (tmp_path / "t.db").exists()


def test_masking_the_other_column_or_allowing_it_lets_it_pass(tmp_path: Path) -> None:
    values = "SELECT id, mail FROM person"
    done = run(tmp_path, values, more="allow_residue: [main.other.x]")
    assert "main.other.x: allow_residue names it" in done.certificate.not_looked_at
    (tmp_path / "s.db").unlink()
    checks = residue(run(tmp_path, values, mask="hash"))
    assert set(checks) == {"main.person.mail", "main.person.phone", "main.other.x"}
    mail = checks["main.person.mail"]
    assert mail.passed and mail.figures["seen"] == mail.figures["searched"] == 200
    assert mail.figures["sampled_1_in"] == 1 and int(mail.figures["compared"] or 0) > 400


def test_what_everybody_has_is_not_looked_for(tmp_path: Path) -> None:
    """First names, and one address that stands in every row, prove nothing where they are seen again."""
    values = "SELECT id, CASE id % 2 WHEN 0 THEN 'Christopher' ELSE 'noreply@shop.example' END FROM person"
    script = POLICY.replace("name: first_name", "name: {{mask: hash, length: 8}}")
    done = run(tmp_path, values, people=script)
    assert any("main.person.name" in text and "prove nothing" in text for text in done.certificate.not_looked_at)
    assert "main.person.name" not in residue(done)


def test_a_column_that_is_shuffled_holds_its_own_values(tmp_path: Path) -> None:
    script = POLICY.replace("{{mask: hash, length: 20}}", "shuffle")
    done = run(tmp_path, "SELECT id, NULL FROM person", people=script)
    assert set(residue(done)) == {"main.person.phone"}


def test_dropped_columns_are_looked_for_too(tmp_path: Path) -> None:
    script = POLICY.replace("mail: {{mask: hash, length: 20}}", "mail: drop")
    with pytest.raises(CheckFailed, match=r"main\.person\.mail: its values stand in main\.other\.x"):
        run(tmp_path, "SELECT id, mail FROM person", people=script)


def test_kept_tables_are_looked_in(tmp_path: Path) -> None:
    script = POLICY.replace("other: {{columns: {{id: keep, x: {mask}}}}}", "other: keep")
    with pytest.raises(CheckFailed, match=r"its values stand in main\.other\.x"):
        run(tmp_path, "SELECT id, mail FROM person", people=script)


def test_of_large_tables_a_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.cloner.residue.WHOLE_ROWS", 50)
    check = residue(run(tmp_path, "SELECT 1, NULL"))["main.person.mail"]
    assert check.figures["sampled_1_in"] == 4 and 20 < int(check.figures["seen"] or 0) < 80


def test_the_list_is_a_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a list of columns"):
        run(tmp_path, "SELECT 1, NULL", more="allow_residue: main.other.x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Christopher", False),
        ("2024-01-31", False),
        ("2024-01-31T10:20:30", False),
        ("12345678", False),
        ("https://shop.example/", False),
        ("a@b.c", False),
        ("ann@shop.example", True),
        ("4111 1111 1111 1111", True),
        ("5f0c9a1e-77aa-4c1b-9d0e-0123456789ab", True),
        ("12 Long Street, 4th floor, Little Town", True),
    ],
)
def test_what_is_telling(text: str, told: bool) -> None:
    assert telling(text) is told


@given(st.text(max_size=7) | st.from_regex(r"[A-Za-z]{0,40}", fullmatch=True))
def test_short_texts_and_single_words_never_are(text: str) -> None:
    assert not telling(text)


def test_nothing_of_the_search_is_a_value(tmp_path: Path) -> None:
    done: Any = run(tmp_path, "SELECT id, NULL FROM person").certificate.as_dict()
    assert "shop.example" not in str(done)
