"""Where all that is looked for holds an at sign, texts without one are passed over in the database, and nothing else is."""

from __future__ import annotations

import importlib
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmask.cloner import clone
from dbmask.cloner.residue import signs
from dbmask.errors import CheckFailed
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask_connectors._postgres_reader import PostgresReader
from tests.cloner.test_residue import PEOPLE, POLICY, SQLITE, Place, residue
from tests.cloner.test_residue import place as place  # a fixture
from tests.fix_mariadb import MariaDB

residue_search = importlib.import_module("dbmask.cloner.residue.search")
suspects = importlib.import_module("dbmask.cloner.residue.suspects")

MAILS = POLICY.replace("phone: {{mask: permute, low: 100000000000, high: 999999999999}}", "phone: keep")
ESCAPED = "replace(mail, '@', '\\u0040')"


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ("SELECT id, mail FROM person", "TEXT"),
        ("SELECT id, '\t' || upper(mail) || ' ' FROM person WHERE id = 7", "TEXT"),
        ("SELECT id, 'changed <' || mail || '>, told him' FROM person WHERE id = 7", "TEXT"),
        ('SELECT id, \'{"who": [{"mail": "\' || mail || \'"}]}\' FROM person WHERE id = 7', "TEXT"),
        ('SELECT id, \'{"who": [{"mail": "\' || ' + ESCAPED + " || '\"}]}' FROM person WHERE id = 7", "TEXT"),
        ("SELECT id, '[\"' || " + ESCAPED + " || '\"]' FROM person WHERE id = 7", "JSON"),
        ("SELECT id, mail FROM person WHERE id = 8", "VARCHAR(80)"),
    ],
)
def test_they_are_found_in_every_form(place: Place, values: str, type_: str) -> None:
    with pytest.raises(CheckFailed, match=r"person\.mail: its values stand in \w+\.other\.x \([\d,]+ times; keep\)"):
        place.run(values, type_, people=MAILS)
    assert not place.has_replica()


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ("SELECT id, mail FROM person WHERE id = 7", "INTEGER"),
        ("SELECT id, CAST(mail AS BLOB) FROM person WHERE id = 7", "TEXT"),
        ("SELECT id, CAST('a' || char(0) || ' ' || mail AS BLOB) FROM person WHERE id = 7", "TEXT"),
        ("SELECT id, 'told' || char(0) || ' <' || mail || '>' FROM person WHERE id = 7", "TEXT"),
    ],
)
@pytest.mark.parametrize("place", [SQLITE], indirect=True)
def test_sqlite_s_columns_may_hold_anything(place: Place, values: str, type_: str) -> None:
    with pytest.raises(CheckFailed, match=r"person\.mail: its values stand in main\.other\.x"):
        place.run(values, type_, people=MAILS)


def test_bytes_in_a_database_of_utf_16_are_looked_at(tmp_path: Path) -> None:
    values = "VALUES (7, x'" + b"person7@shop.example".hex() + "')"
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("PRAGMA encoding = 'UTF-16le'")
        db.executescript(PEOPLE.format(type="TEXT", values=values))
    _clones((f"sqlite:///{tmp_path / 's.db'}", f"sqlite:///{tmp_path / 't.db'}"), True)


def test_one_value_without_a_sign_has_all_texts_looked_at(place: Place) -> None:
    odd = "VALUES (1, '4111-1111-1111-1111'); UPDATE person SET mail = '4111-1111-1111-1111' WHERE id = 5"
    with pytest.raises(CheckFailed, match=r"person\.mail: its values stand in \w+\.other\.x \(1 times"):
        place.run(odd, people=MAILS)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values of each column came out of the replica, whole or as their fingerprints."""
    made: list[int] = []

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*args: Any) -> Any:
            for batch in real(*args):
                made.append(len(batch[0] if isinstance(batch, list | tuple) else batch))
                yield batch

        return reading

    for module in (suspects, residue_search):
        monkeypatch.setattr(module, "texts_of", counted(module.texts_of))
    monkeypatch.setattr(PostgresReader, "read_prints", counted(PostgresReader.read_prints))
    return made


def test_texts_without_it_stay_in_the_replica(place: Place, fetched: list[int]) -> None:
    done = place.run("SELECT id, 'note number 12345678 of ' || id FROM person", people=MAILS)
    check = residue(done)[f"{place.schema}.person.mail"]
    assert int(check.figures["compared"] or 0) >= 6 * 200
    assert sum(fetched) == 200  # what is looked for was read of the source


def test_with_numbers_to_look_for_everything_is_read(place: Place, fetched: list[int]) -> None:
    place.run("SELECT id, 'note number 12345678 of ' || id FROM person")
    assert sum(fetched) >= 3 * 200


_PARTS = [
    "Person7@shop.example",
    "person7",
    "@",
    "\\u0040",
    '{"a": "',
    '"}',
    '["',
    '"]',
    " ",
    "<",
    ">",
    "\\",
    "é",
    "＠",
]


@given(st.lists(st.sampled_from(_PARTS), min_size=1, max_size=6).map("".join))
@settings(max_examples=60, suppress_health_check=[*HealthCheck])
@pytest.mark.parametrize("place", [SQLITE], indirect=True)
def test_it_is_what_looking_at_all_texts_finds(place: Place, text: str) -> None:
    def told() -> str:
        try:
            place.run(f"VALUES (1, '{text}')", people=MAILS)
        except CheckFailed as error:
            return str(error).partition(";")[0]
        return ""

    quick = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signs, "_KNOWN", ())
        assert told() == quick


LEAKS = [
    ("SELECT id, upper(mail) FROM person WHERE id = 7", True),
    ("SELECT id, concat('told <', mail, '>') FROM person WHERE id = 7", True),
    ("SELECT id, concat('{\"a\": \"', replace(mail, '@', '\\u0040'), '\"}') FROM person WHERE id = 7", True),
    ("SELECT id, concat('a note at ', id) FROM person", False),
]


def _clones(urls: tuple[str, str], leaks: bool) -> None:
    policy = Policy.from_text(MAILS.format(mask="keep", more=""))
    if leaks:
        with pytest.raises(CheckFailed, match=r"person\.mail: its values stand in \w+\.other\.x \(1 times"):
            clone(policy, *urls, keys=example_keys())
    else:
        assert clone(policy, *urls, keys=example_keys()).certificate.passed


@pytest.mark.parametrize(("values", "leaks"), LEAKS)
def test_in_mariadb(mariadb: MariaDB, values: str, leaks: bool) -> None:
    source, target = f"signs_{os.getpid()}_s", f"signs_{os.getpid()}_t"
    mariadb.create_database(source)
    script = PEOPLE.format(type="TEXT", values=values.replace("\\", "\\\\"))
    script = re.sub(r"WITH RECURSIVE.*?;", _SEQUENCE, script, flags=re.DOTALL)
    try:
        mariadb.mysql(source, script)
        _clones((mariadb.url(source), mariadb.url(target)), leaks)
    finally:
        for name in (source, target):
            mariadb.mysql("mysql", f"DROP DATABASE IF EXISTS `{name}`")


_SEQUENCE = (
    "INSERT INTO person SELECT seq, 'Christopher', concat('Person', seq, '@shop.example'), 420600000000 + seq * 7919 "
    "FROM seq_1_to_200;"
)


@pytest.mark.parametrize(("values", "leaks"), LEAKS)
def test_in_duckdb(tmp_path: Path, values: str, leaks: bool) -> None:
    import duckdb

    path = tmp_path / "s.duckdb"
    with closing(duckdb.connect(str(path))) as db:
        for statement in PEOPLE.format(type="TEXT", values=values).split(";\n"):
            if statement.strip():
                words = statement.replace("INSERT INTO person SELECT", "")
                db.execute(_DUCKDB if words != statement else statement)
    _clones((f"duckdb:///{path}", f"duckdb:///{tmp_path / 't.duckdb'}"), leaks)


_DUCKDB = (
    "INSERT INTO person SELECT i, 'Christopher', concat('Person', i, '@shop.example'), 420600000000 + i * 7919 "
    "FROM range(1, 201) AS r(i)"
)
