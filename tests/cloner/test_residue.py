"""Values of masked columns are found in the replica wherever they stand, and chance is not taken for a leak.

In PostgreSQL by fingerprints of the servers first, in SQLite by looking at every value.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.cloner import CloneResult, clone
from dbmask.cloner.certificate import Check
from dbmask.errors import CheckFailed, ConnectorError, UsageError
from dbmask.masks.build import example_keys
from dbmask.planner.telling import telling
from dbmask.policy import Policy
from dbmask_connectors._postgres_reader import PostgresReader
from tests.fix_postgres import Postgres

PEOPLE = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, phone BIGINT);
CREATE TABLE other (id INTEGER PRIMARY KEY, x {type});
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO person SELECT i, 'Christopher', 'Person' || i || '@shop.example', 420600000000 + i * 7919 FROM n;
UPDATE person SET mail = 'Příliš.Žluť@shop.example' WHERE id = 8;
UPDATE person SET mail = 'dirty9@shop.example
' WHERE id = 9;
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


residue_search = importlib.import_module("dbmask.cloner.residue.search")
SQLITE, POSTGRES = "main", "public"
NAME = f"residue_{os.getpid()}"


@dataclass(frozen=True)
class Place:
    """Where to clone: ``schema`` says in which kind of database."""

    schema: str
    folder: Path
    postgres: Postgres | None = None

    def run(
        self, values: str, type_: str = "TEXT", mask: str = "keep", more: str = "", people: str = POLICY
    ) -> CloneResult:
        """Make the source anew and clone it."""
        script, urls = PEOPLE.format(type=type_, values=values), []
        for name in (f"{NAME}_s", f"{NAME}_t"):
            if self.postgres:
                self.postgres.drop_database(name)
                urls.append(self.postgres.url(name))
            else:
                (self.folder / name).unlink(missing_ok=True)
                urls.append(f"sqlite:///{self.folder / name}")
        if self.postgres:
            self.postgres.create_database(f"{NAME}_s")
            script = script.replace("x JSON", "x TEXT")  # a text is no JSON by itself there
            cast = f"ALTER TABLE other ALTER x TYPE {type_} USING x::{type_}" if type_ == "JSON" else ""
            self.postgres.psql(f"{NAME}_s", script + cast)
        else:
            with closing(sqlite3.connect(self.folder / f"{NAME}_s")) as db, db:
                db.executescript(script)
        policy = Policy.from_text(people.format(mask=mask, more=more))
        return clone(policy, urls[0], urls[1], keys=example_keys(), overwrite=True)

    def has_replica(self) -> bool:
        """Whether there is one."""
        if not self.postgres:
            return (self.folder / f"{NAME}_t").exists()
        with self.postgres.connect() as connection:
            found = connection.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (f"{NAME}_t",)).fetchone()
        return found != (0,)


@pytest.fixture(params=[SQLITE, POSTGRES])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path, request.getfixturevalue("postgres") if request.param == POSTGRES else None)
    yield made
    if made.postgres:
        for name in (f"{NAME}_s", f"{NAME}_t"):
            made.postgres.drop_database(name)


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
        ("VALUES (8, 'PŘÍLIŠ.ŽLUŤ@SHOP.EXAMPLE')", "TEXT"),
        ("VALUES (8, '\t příliš.žluť@shop.example ')", "TEXT"),
        ("VALUES (9, 'told dirty9@shop.example of it')", "TEXT"),
        ("SELECT id, phone FROM person WHERE id = 7", "BIGINT"),
        ("SELECT id, CAST(phone AS TEXT) FROM person WHERE id = 7", "TEXT"),
    ],
)
def test_a_value_under_another_name_stops_the_clone(place: Place, values: str, type_: str) -> None:
    with pytest.raises(
        CheckFailed, match=r"\w+\.person\.\w+: its values stand in \w+\.other\.x \([\d,]+ times; keep\)"
    ) as caught:
        place.run(values, type_)
    assert "person7@" not in str(caught.value).lower() and "4206000" not in str(caught.value)
    assert not place.has_replica()


def test_masking_the_other_column_or_allowing_it_lets_it_pass(place: Place) -> None:
    values = "SELECT id, mail FROM person"
    done = place.run(values, more=f"allow_residue: [{place.schema}.other.x]")
    assert f"{place.schema}.other.x: allow_residue names it" in done.certificate.not_looked_at
    checks = residue(place.run(values, mask="hash"))
    assert set(checks) == {f"{place.schema}.person.mail", f"{place.schema}.person.phone", f"{place.schema}.other.x"}
    mail = checks[f"{place.schema}.person.mail"]
    assert mail.passed and mail.figures["seen"] == mail.figures["searched"] == 200
    assert mail.figures["sampled_1_in"] == 1 and int(mail.figures["compared"] or 0) > 400


def test_what_everybody_has_is_not_looked_for(place: Place) -> None:
    """First names, and one address that stands in every row, prove nothing where they are seen again."""
    values = "SELECT id, CASE id % 2 WHEN 0 THEN 'Christopher' ELSE 'noreply@shop.example' END FROM person"
    script = POLICY.replace("name: first_name", "name: {{mask: hash, length: 8}}")
    done = place.run(values, people=script)
    assert any(
        f"{place.schema}.person.name" in text and "prove nothing" in text for text in done.certificate.not_looked_at
    )
    assert f"{place.schema}.person.name" not in residue(done)


def test_a_column_that_is_shuffled_holds_its_own_values(place: Place) -> None:
    script = POLICY.replace("{{mask: hash, length: 20}}", "shuffle")
    done = place.run("SELECT id, NULL FROM person", people=script)
    assert set(residue(done)) == {f"{place.schema}.person.phone"}


def test_dropped_columns_are_looked_for_too(place: Place) -> None:
    script = POLICY.replace("mail: {{mask: hash, length: 20}}", "mail: drop")
    with pytest.raises(CheckFailed, match=r"\w+\.person\.mail: its values stand in \w+\.other\.x"):
        place.run("SELECT id, mail FROM person", people=script)


def test_kept_tables_are_looked_in(place: Place) -> None:
    script = POLICY.replace("other: {{columns: {{id: keep, x: {mask}}}}}", "other: keep")
    with pytest.raises(CheckFailed, match=r"its values stand in \w+\.other\.x"):
        place.run("SELECT id, mail FROM person", people=script)


def test_of_large_tables_a_sample_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.cloner.residue.places.WHOLE_ROWS", 50)
    check = residue(place.run("SELECT 1, NULL"))[f"{place.schema}.person.mail"]
    assert check.figures["sampled_1_in"] == 4 and 20 < int(check.figures["seen"] or 0) < 80


def test_the_list_is_a_list(place: Place) -> None:
    with pytest.raises(UsageError, match="is a list of columns"):
        place.run("SELECT 1, NULL", more=f"allow_residue: {place.schema}.other.x")


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


def test_nothing_of_the_search_is_a_value(place: Place) -> None:
    done: Any = place.run("SELECT id, NULL FROM person").certificate.as_dict()
    assert "shop.example" not in str(done)


def test_databases_that_agree_are_compared_by_their_fingerprints(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def look(self: Any, places: Any, replica: Any) -> None:
        looked_at.extend(p.name for some in places.values() for p in some)
        real(self, places, replica)

    real = residue_search._Values.look
    monkeypatch.setattr(residue_search._Values, "look", look)
    place.run("SELECT id, NULL FROM person")
    assert len(looked_at) == (0 if place.schema == POSTGRES else 6)
    with pytest.raises(CheckFailed, match="its values stand in"):
        place.run("SELECT id, mail FROM person WHERE id = 9")
    assert place.schema == SQLITE or looked_at == ["public.other.x"]


def test_databases_that_do_not_agree_are_searched_value_by_value(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> Any:
        raise ConnectorError("no such collation")

    monkeypatch.setattr(PostgresReader, "prints_of", refused)
    monkeypatch.setattr(PostgresReader, "read_prints", refused)
    with pytest.raises(CheckFailed, match="its values stand in"):
        place.run("SELECT id, mail FROM person WHERE id = 9")
