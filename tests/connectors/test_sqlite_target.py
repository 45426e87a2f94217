"""Building SQLite replicas: what arrives, what is left out, and what is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError
from dbmask.masks.build import example_keys
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import OpensRows, TargetTable
from dbmask_sql.dialects import dialect
from tests.connectors.copying import Chosen, copy, plain_query, sqlite_file, sqlite_rows, statement
from tests.connectors.sqlite_building import SKIPPED, building, contents, rich_file, target_of

COMPARED = ("country", "person", "team", '"order line"', "shipment", "strict_one")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_file(tmp_path_factory.mktemp("rich"))


@pytest.mark.parametrize("relay", [True, False])
def test_every_value_arrives_as_it_is(rich: Path, tmp_path: Path, relay: bool) -> None:
    replica = tmp_path / "replica.db"
    done = copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED, relay=relay)
    assert set(done.relayed.values()) == {relay}
    for table in COMPARED:
        assert contents(replica, table) == contents(rich, table), table
    assert done.broken == {
        "main.team.team_lead_id_fkey": 0,
        "main.person.person_country_code_fkey": 0,
        "main.person.boss": 0,
        "main.person.person_team_id_fkey": 0,
        'main."order line".order line_person_id_fkey': 0,
        "main.shipment.shipment_ord_lin_fkey": 0,
    }
    assert [p.name for p in tmp_path.iterdir()] == ["replica.db"]
    assert sqlite_rows(replica, "PRAGMA integrity_check") == [("ok",)]


def test_the_structure_arrives_byte_for_byte(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.db"
    done = copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    listed = (
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 2"
    )
    before = [r for r in sqlite_rows(rich, listed) if r[1] not in ("skipped", "secrets", "broken")]
    assert sqlite_rows(replica, listed) == before
    assert done.structure.left_out == (
        "view main.secrets: it needs something that is not in the replica",
        "view main.broken: it needs something that is not in the replica",
    )
    for pragma in ("user_version", "application_id", "encoding", "page_size", "auto_vacuum"):
        assert sqlite_rows(replica, f"PRAGMA {pragma}") == sqlite_rows(rich, f"PRAGMA {pragma}"), pragma


@pytest.mark.parametrize("settings", ["PRAGMA page_size = 8192; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = 2;"])
def test_settings_of_the_file_are_kept(tmp_path: Path, settings: str) -> None:
    script = f"{settings} CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('ž'), ('😀');"
    copy(sqlite_file(tmp_path / "a.db", script), f"sqlite:///{tmp_path / 'b.db'}")
    for pragma in ("page_size", "encoding", "auto_vacuum"):
        assert sqlite_rows(tmp_path / "a.db", f"PRAGMA {pragma}") == sqlite_rows(tmp_path / "b.db", f"PRAGMA {pragma}")
    assert sqlite_rows(tmp_path / "b.db", "SELECT x FROM t") == [("ž",), ("😀",)]


def test_triggers_do_not_fire_on_arriving_rows_and_work_afterwards(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.db"
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    assert sqlite_rows(replica, "SELECT count(*) FROM audit") == [(0,)]
    with closing(sqlite3.connect(replica)) as db:
        db.execute("INSERT INTO people (id, full_name) VALUES (77, 'x')")
        assert db.execute("SELECT what FROM audit").fetchall() == [("insert 77",)]


def test_autoincrement_goes_on_past_the_highest_key(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.db"

    def far(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        if table.name.name != "person":
            return query
        moved = exp.alias_(exp.column("id", table="dbmask_src") + 5000, "id", quoted=True)
        return query.select(moved, *query.expressions[1:], append=False)

    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED, select=far)
    assert dict(sqlite_rows(replica, "SELECT name, seq FROM sqlite_sequence")) == {"person": 5005}


def test_broken_foreign_keys_are_counted(rich: Path, tmp_path: Path) -> None:
    done = copy(f"sqlite:///{rich}", f"sqlite:///{tmp_path / 'r.db'}", Chosen(("skipped",), ("team", "order line")))
    assert done.broken["main.person.person_team_id_fkey"] == 3
    assert done.broken["main.shipment.shipment_ord_lin_fkey"] == 2
    assert done.broken["main.person.boss"] == 0


def test_columns_and_tables_that_do_not_come_leave_no_trace(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.db"
    done = copy(
        f"sqlite:///{rich}",
        f"sqlite:///{replica}",
        Chosen(("skipped", "country", "team"), dropped={"person": ("email", "first_name", "born")}),
    )
    columns = {r[1] for r in sqlite_rows(replica, "PRAGMA table_xinfo(person)")}
    assert not columns & {"email", "first_name", "born", "full_name", "initials"}
    assert set(done.structure.left_out) == {
        'generated column "full_name" of main.person: column first_name is dropped',
        'generated column "initials" of main.person: column first_name is dropped',
        "foreign key of main.person: table country is not in the replica",
        "foreign key of main.person: table TEAM is not in the replica",
        "check named_check of main.person: column first_name is dropped",
        "index main.person_name: it needs something that is not in the replica",
        "index main.person_active: it needs something that is not in the replica",
        "index main.person_lower: it needs something that is not in the replica",
        "view main.people: it needs something that is not in the replica",
        "view main.over_people: it needs something that is not in the replica",
        "view main.secrets: it needs something that is not in the replica",
        "view main.broken: it needs something that is not in the replica",
        "trigger main.people_insert: it needs something that is not in the replica",
    }
    assert b"O'Neil" in replica.read_bytes()
    assert b"ann@example.com" not in replica.read_bytes()


def test_a_trigger_fills_the_column_that_gets_no_value(tmp_path: Path) -> None:
    script = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, log_count INT);
    CREATE TRIGGER fill AFTER INSERT ON t BEGIN UPDATE t SET b = upper(NEW.a) WHERE id = NEW.id; END;
    INSERT INTO t (id, a) VALUES (1, 'x'), (2, 'y');
    CREATE TABLE seen (n);
    CREATE TRIGGER other AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (NEW.id); END;"""
    url = sqlite_file(tmp_path / "a.db", script)
    connector = connector_for(url)
    with closing(connector.source(url)) as source, closing(target_of(tmp_path / "b.db")) as target:
        schema = source.schema()
        tables = [TargetTable(t, tuple(c.name for c in t.columns if c.name != "b")) for t in schema.tables.values()]
        structure = source.structure(schema, tables)
        target.begin()
        target.create(structure)
        with source.snapshot() as reader:
            for table in tables:
                assert target.relay(source, reader, table, plain_query(table), lambda _: None) is not None
        target.finish(structure, lambda _: None)
        target.publish()
    assert sqlite_rows(tmp_path / "b.db", "SELECT a, b FROM t") == [("x", "X"), ("y", "Y")]
    assert sqlite_rows(tmp_path / "b.db", "SELECT * FROM seen") == []


def test_masks_with_keys_run_in_the_relay(rich: Path, tmp_path: Path) -> None:
    key = example_keys().column("hash")

    def masked(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        if table.name.name != "team":
            return query
        name = next(e for e in query.expressions if e.alias == "name")
        made = exp.alias_(dialect("sqlite").prf_hex(name.this, key.name), "name", quoted=True)
        return query.select(*(made if e is name else e for e in query.expressions), append=False)

    replica = tmp_path / "r.db"
    done = copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED, select=masked, pads={key.name: key.pads})
    assert done.relayed and all(done.relayed.values())
    expected = [(key.prf(n.encode()).hex(),) for n in ("Red", "Blue", "Grün")]
    assert sqlite_rows(replica, "SELECT name FROM team ORDER BY id") == expected


def test_large_tables_go_over_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask_connectors._sqlite_relay._SLICE", 10)
    script = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, rowid TEXT);
    CREATE TABLE sparse (id INTEGER PRIMARY KEY);
    CREATE TABLE w (id INTEGER PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE n (id INTEGER PRIMARY KEY);
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50) INSERT INTO t SELECT i * 2, 'r' || i FROM c;
    INSERT INTO sparse SELECT id * 1000 FROM t; INSERT INTO w SELECT id FROM t; INSERT INTO n SELECT id - 60 FROM t;"""
    done = copy(sqlite_file(tmp_path / "a.db", script), f"sqlite:///{tmp_path / 'b.db'}")
    for table in ("t", "sparse", "w", "n"):
        assert contents(tmp_path / "a.db", table) == contents(tmp_path / "b.db", table)
    assert len(done.progress) > 6
    assert sum(done.progress) == 200


def test_text_that_is_no_utf8_goes_through_a_sink_unchanged(tmp_path: Path) -> None:
    script = """CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y BLOB);
    INSERT INTO t VALUES (1, 'a', x'ff'), (2, CAST(x'61ff62' AS TEXT), NULL), (3, CAST(x'c3' AS TEXT), 'ž');"""
    copy(sqlite_file(tmp_path / "a.db", script), f"sqlite:///{tmp_path / 'b.db'}", relay=False)
    shown = "SELECT hex(x), typeof(x), hex(y), typeof(y) FROM t ORDER BY id"
    assert sqlite_rows(tmp_path / "a.db", shown) == sqlite_rows(tmp_path / "b.db", shown)


def test_a_lone_surrogate_that_is_no_byte_is_refused(rich: Path, tmp_path: Path) -> None:
    with building(rich, tmp_path / "b.db") as (target, tables), target.sink(tables["audit"]) as sink:
        with pytest.raises(ConnectorError, match="UTF-8 cannot say"):
            sink.write([["\ud800"], ["x"]])
        with pytest.raises(ConnectorError, match="64 bits"):
            sink.write([[2**70], ["x"]])


def test_constraint_errors_name_columns_and_no_values(rich: Path, tmp_path: Path) -> None:
    with building(rich, tmp_path / "b.db") as (target, tables), target.sink(tables["strict_one"]) as sink:
        with pytest.raises(ConnectorError, match=r"main\.strict_one: UNIQUE constraint failed: strict_one\.k") as error:
            sink.write([["secret", "secret"], [1, 2], ["v", "v"], [None, None]])
        assert "secret" not in str(error.value)
        assert error.value.__cause__ is None and error.value.__suppress_context__
        with pytest.raises(ConnectorError, match=r"NOT NULL constraint failed: strict_one\.n"):
            sink.write([["a"], [None], [1], [None]])
        with pytest.raises(ConnectorError, match="cannot store TEXT value in INT column"):
            sink.write([["a"], ["secret"], [1], [None]])
    with building(rich, tmp_path / "b.db") as (target, tables), target.sink(tables["team"]) as sink:
        sink.write([[1], ["kept"], [None]])
        with pytest.raises(ConnectorError, match="UNIQUE"):
            sink.write([[2, 1], ["undone", "x"], [None, None]])
        with target.reader() as reader:
            assert list(reader.read(statement(tables["team"].table, ["id", "name"]))) == [[[1], ["kept"]]]


def test_the_replica_can_be_read_before_and_after_it_is_published(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.db"
    done = copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    country = done.structure.schema.tables[TableName("main", "country")]
    with closing(target_of(replica)) as target, target.reader() as reader:
        assert reader.position == ""
        (batch,) = reader.read(statement(country, ["code"]))
        assert batch[0]
        assert target.check_foreign_keys(done.structure) == done.broken


@pytest.mark.parametrize("auto_vacuum", [0, 1, 2])
def test_rows_are_read_while_the_rest_is_made(tmp_path: Path, auto_vacuum: int) -> None:
    """Another connection reads all rows, whatever of an index is there; not where the file moves what it holds."""
    sqlite_file(
        tmp_path / "a.db",
        f"PRAGMA auto_vacuum = {auto_vacuum}; CREATE TABLE t (x TEXT); CREATE INDEX every ON t (x);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO t SELECT hex(randomblob(200)) FROM n",
    )
    source = connector_for("sqlite://").source(f"sqlite:///{tmp_path / 'a.db'}")
    with (
        closing(source),
        building(tmp_path / "a.db", tmp_path / "b.db") as (target, tables),
        source.snapshot() as reader,
    ):
        assert isinstance(target, OpensRows)
        target.relay(source, reader, tables["t"], plain_query(tables["t"]), lambda _: None)
        place = target.rows_opened()
        assert (place == "") == (auto_vacuum > 0)
        if not place:
            return
        query = exp.select("x").from_(exp.table_("t", db="main"))
        other = target_of(tmp_path / "b.db")
        assert isinstance(other, OpensRows)
        with other.open_rows(place) as rows:
            batches = rows.read(query, 1_000)
            seen = list(next(batches)[0])
            target.finish(source.structure(source.schema(), list(tables.values())), lambda _: None)
            seen += [value for batch in batches for value in batch[0]]
            again = [value for batch in rows.read(query) for value in batch[0]]
        with target.reader() as finished:
            assert sorted(seen) == sorted(again) == sorted(v for b in finished.read(query) for v in b[0])
        assert len(set(seen)) == 20_000
