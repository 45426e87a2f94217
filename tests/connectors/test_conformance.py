"""What every connector is held to. What one cannot do stands in its capabilities, and fails here for as long as it stands there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
from sqlglot import exp

from dbmask.cloner import clone
from dbmask.errors import ConnectorError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.schema import Kind, Schema, Table
from dbmask.spi import Connector, Reader, Source, Target, TargetTable
from dbmask_sql.canonical import canonicalizer
from tests.connectors.copying import copy, plain_query, statement, target_tables
from tests.connectors.places import KINDS, Place, loaded_place

COLUMNS = ("id", "name", "born", "amount", "rate", "colour", "team")
GAPS = {"server-identity", "position", "atomic", "replaces", "own-ddl"}
"""What a connector may say that it has not; each has a test below."""
REFUSED = (psycopg.IntegrityError, pymysql.IntegrityError, sqlite3.IntegrityError, duckdb.ConstraintException)
IDS = [1, 2, 3, 4, 5, 6, 7]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A loaded database, and room for a replica."""
    with loaded_place(request.param, tmp_path, request.getfixturevalue) as made:
        yield made


@pytest.fixture
def source(place: Place) -> Iterator[Source]:
    with closing(place.connector.source(place.source)) as opened:
        yield opened


@pytest.fixture
def lacking(request: pytest.FixtureRequest, place: Place) -> Callable[[str], None]:
    """Expects the test to fail where the connector says that it has a gap of this name."""

    with closing(place.connector.source(place.source)) as opened:
        gaps = opened.capabilities.gaps

    assert set(gaps) <= GAPS

    def expect(gap: str) -> None:
        assert gap in GAPS
        if gap in gaps:
            request.node.add_marker(pytest.mark.xfail(strict=True, reason=f"a gap: {gap}"))

    return expect


def table_of(schema: Schema, name: str) -> Table:
    return next(t for t in schema.tables.values() if t.name.name == name)


def read(reader: Reader, table: Table, batch_rows: int = 2) -> list[tuple[Any, ...]]:
    """Rows of person in canonical text, in the order of their keys."""
    kinds = {c.name: c.type for c in table.columns}
    found = []
    for batch in reader.read(statement(table, COLUMNS), batch_rows):
        assert len(batch) == len(COLUMNS) and 0 < len(batch[0]) <= batch_rows
        found += list(zip(*batch, strict=True))
    made = [
        tuple(None if v is None else canonicalizer(kinds[c].kind)(v) for c, v in zip(COLUMNS, row, strict=True))
        for row in found
    ]
    return sorted(made, key=str)


@contextlib.contextmanager
def built(place: Place, source: Source, tables: list[TargetTable]) -> Iterator[Target]:
    """A target with all rows, finished and not published."""
    with closing(place.connector.target(place.target)) as target:
        structure = source.structure(source.schema(), tables)
        target.check(overwrite=False)
        target.begin()
        target.create(structure)
        with source.snapshot() as reader:
            for table in tables:
                with target.sink(table) as sink:
                    for batch in reader.read(plain_query(table)):
                        sink.write(batch)
        target.finish(structure, lambda _: None)
        assert set(target.check_foreign_keys(structure).values()) == {0}
        yield target


def test_it_is_a_connector(place: Place, source: Source) -> None:
    assert isinstance(place.connector, Connector)
    assert source.capabilities.dialect == place.connector.dialect == source.schema().dialect
    source.close()
    source.close()


def test_the_schema_is_seen(source: Source) -> None:
    schema = source.schema()
    person, team = table_of(schema, "person"), table_of(schema, "team")
    assert len(schema.tables) == 2
    assert [c.name for c in person.columns] == [*COLUMNS, "doubled"]
    kinds = {c.name: c.type.kind for c in person.columns}
    assert [kinds[c] for c in ("id", "name", "born", "amount", "rate")] == [
        *(Kind.INTEGER, Kind.TEXT, Kind.DATE, Kind.DECIMAL, Kind.FLOAT),
    ]
    assert person.primary_key == team.primary_key == ("id",)
    assert ("name",) in {u.columns for u in team.uniques}
    assert [(k.columns, k.ref_table, k.ref_columns) for k in person.foreign_keys] == [(("team",), team.name, ("id",))]
    assert next(c for c in person.columns if c.name == "doubled").generated
    assert not next(c for c in team.columns if c.name == "name").nullable
    assert [v.name.name for v in schema.views] == ["named"]


def test_rows_come_in_batches_with_their_values(source: Source) -> None:
    person = table_of(source.schema(), "person")
    with source.snapshot() as reader:
        rows = read(reader, person)
    by_key = {int(row[0]): row[1:] for row in rows}
    assert sorted(by_key) == IDS
    assert by_key[1][:2] == (b"Ann", b"1980-02-29") and Decimal(by_key[1][2].decode()) == Decimal("12.30")
    assert by_key[2] == (None, None, None, None, b"red", None)
    assert by_key[3][:2] == (b"", b"0001-01-01") and float(by_key[3][3]) == -1e300
    assert (by_key[4][0], by_key[5][0], by_key[6][0]) == (b'O\'Neil "x" %', "\N{GRINNING FACE}\t".encode(), b"NULL")


def test_a_snapshot_does_not_see_what_comes_later(place: Place, source: Source) -> None:
    person = table_of(source.schema(), "person")
    with source.snapshot() as reader:
        before = read(reader, person)
        with contextlib.suppress(Exception):  # where nobody can write meanwhile, nothing comes later
            place.run(0, "DELETE FROM person WHERE id = 7")
        assert read(reader, person) == before


def test_a_source_is_not_written_to(place: Place, source: Source) -> None:
    table = exp.table_(table_of(source.schema(), "person").name.name, quoted=True)
    with source.snapshot() as reader, pytest.raises(ConnectorError):
        list(reader.read(exp.delete(table)))
    source.close()
    assert place.run(0, "SELECT count(*) FROM person") == [(7,)]


def test_errors_name_no_driver(source: Source) -> None:
    missing = exp.select("1").from_(exp.table_("nowhere", quoted=True))
    with source.snapshot() as reader, pytest.raises(ConnectorError) as caught:
        list(reader.read(missing))
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_who_may_read_may_read(source: Source) -> None:
    assert source.privileges(list(source.schema().tables)) == {}


def test_one_database_has_one_identity(place: Place, source: Source, lacking: Callable[[str], None]) -> None:
    lacking("server-identity")
    with closing(place.connector.source(place.other)) as other:
        assert source.identity() and source.identity() == other.identity()


def test_a_snapshot_has_a_position(source: Source, lacking: Callable[[str], None]) -> None:
    lacking("position")
    with source.snapshot() as reader:
        assert reader.position


def test_a_replica_holds_what_the_source_holds(place: Place) -> None:
    copy(place.source, place.target, relay=False)
    assert place.tables() == ["person", "team"]
    both = "SELECT p.id, p.name, t.name, p.amount, p.rate, p.colour FROM person p LEFT JOIN team t ON t.id = p.team ORDER BY p.id"
    assert place.run(1, both) == place.run(0, both)
    with closing(place.connector.source(place.target)) as replica:
        assert table_of(replica.schema(), "team").primary_key == ("id",)
        assert [k.ref_columns for k in table_of(replica.schema(), "person").foreign_keys] == [("id",)]


def test_keys_hold_in_the_replica(place: Place) -> None:
    copy(place.source, place.target, relay=False)
    enforce = ["PRAGMA foreign_keys = ON"] if "sqlite" in place.url(0) else []
    for broken in ("INSERT INTO team VALUES (3, 'x')", "INSERT INTO team VALUES (4, 'Red')"):
        with pytest.raises(REFUSED, match=r"(?i)unique|duplicate"):
            place.run(1, *enforce, broken)
    with pytest.raises(REFUSED, match=r"(?i)foreign key"):
        place.run(1, *enforce, "INSERT INTO person (id, team) VALUES (50, 77)")


def test_the_replica_is_read_before_and_after_it_is_published(place: Place, source: Source) -> None:
    tables = target_tables(source.schema())
    person = table_of(source.schema(), "person")
    with built(place, source, tables) as target:
        with source.snapshot() as reader, target.reader() as replica:
            assert read(replica, person) == read(reader, person)
        target.publish()
        with source.snapshot() as reader, target.reader() as replica:
            assert read(replica, person) == read(reader, person)


def test_nothing_shows_before_it_is_published(place: Place, source: Source, lacking: Callable[[str], None]) -> None:
    lacking("atomic")
    with built(place, source, target_tables(source.schema())):
        assert place.tables() == []


def test_what_is_given_up_leaves_nothing(place: Place, source: Source) -> None:
    with built(place, source, target_tables(source.schema())) as target:
        target.abort()
        target.abort()
        assert place.tables() == []
    assert place.tables() == []


def test_a_load_that_fails_leaves_nothing(place: Place, source: Source) -> None:
    tables = target_tables(source.schema())
    team = next(t for t in tables if t.name.name == "team")
    with closing(place.connector.target(place.target)) as target:
        structure = source.structure(source.schema(), tables)
        target.check(overwrite=False)
        target.begin()
        target.create(structure)
        with pytest.raises(ConnectorError) as caught:
            with target.sink(team) as sink:
                sink.write([[1, 1], ["secret one", "secret two"]])
            target.finish(structure, lambda _: None)
        assert "secret" not in str(caught.value)
    assert place.tables() == []


def test_a_key_that_refers_to_nothing_is_never_passed_over(place: Place, source: Source) -> None:
    tables = target_tables(source.schema())
    values: dict[str, list[list[Any]]] = {
        "team": [[3], ["a"]],
        "person": [[1], ["Ann"], [None], [None], [None], [None], [99]],
    }
    found = 0
    with closing(place.connector.target(place.target)) as target:
        structure = source.structure(source.schema(), tables)
        target.begin()
        target.create(structure)
        try:
            for table in tables:
                with target.sink(table) as sink:
                    sink.write(values[table.name.name])
            target.finish(structure, lambda _: None)
            found = sum(target.check_foreign_keys(structure).values())
        except ConnectorError:
            found = 1
    assert found == 1


def test_what_dbmask_did_not_make_is_not_replaced(place: Place) -> None:
    copy(place.source, place.target, relay=False)
    # The loaded database itself: nobody has marked it.
    with closing(place.connector.target(place.source)) as target, pytest.raises(UsageError):
        target.check(overwrite=False)
    assert place.run(0, "SELECT count(*) FROM person") == [(7,)]


def test_its_own_replica_is_replaced(place: Place, lacking: Callable[[str], None]) -> None:
    lacking("replaces")
    copy(place.source, place.target, relay=False)
    place.run(0, "DELETE FROM person WHERE id > 2")
    copy(place.source, place.target, relay=False)
    assert place.run(1, "SELECT count(*) FROM person") == [(2,)]


def test_views_arrive(place: Place, lacking: Callable[[str], None]) -> None:
    lacking("own-ddl")
    copy(place.source, place.target, relay=False)
    assert place.run(1, "SELECT count(*) FROM named") == [(7,)]


def test_defaults_arrive(place: Place) -> None:
    copy(place.source, place.target, relay=False)
    place.run(1, "INSERT INTO person (id) VALUES (8)")
    assert place.run(1, "SELECT colour FROM person WHERE id = 8") == [("dark blue",)]


def test_generated_columns_are_computed(place: Place) -> None:
    copy(place.source, place.target, relay=False)
    query = "SELECT id, doubled FROM person ORDER BY id"
    assert place.run(1, query) == place.run(0, query) and place.run(1, query)[5] == (6, 2)


POLICY = """version: 1
default: keep
tables:
  team: {columns: {"*": keep}}
  person:
    columns: {name: {mask: redact, keep_start: 1}, born: retain_year, colour: {mask: hash, length: 8}, "*": keep}
"""
MASKED = [
    ("1", "A**", "1980-07-29", "None"),
    ("2", "None", "None", "569eb33a"),
    ("3", "", "0001-12-14", ""),
    ("4", "O***********", "9999-09-24", "678d1152"),
    ("5", "\N{GRINNING FACE}*", "2000-08-14", "815e41ad"),
    ("6", "N***", "2000-01-21", "1d6d2475"),
    ("7", "B*", "2000-08-21", "a4514b66"),
]


def test_masks_give_the_same_everywhere(place: Place) -> None:
    done = clone(Policy.from_text(POLICY, "yaml"), place.source, place.target, keys=example_keys())
    assert done.certificate.passed
    rows = place.run(1, "SELECT id, name, born, colour FROM person ORDER BY id")
    assert [tuple(str(v) for v in row) for row in rows] == MASKED
