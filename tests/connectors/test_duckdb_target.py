"""Building DuckDB replicas from DuckDB: what arrives, what is left out, and that nothing half-done is ever seen."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError, DbmaskError, UsageError
from dbmask.masks.build import example_keys
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import Target, TargetTable
from dbmask_sql.dialects import dialect
from tests.connectors.copying import (
    FIXTURES,
    Chosen,
    copy,
    duckdb_file,
    duckdb_rows,
    plain_query,
    statement,
    target_tables,
)

SKIPPED = Chosen(skip=("skipped",))
COMPARED = ("main.country", "main.person", "hr.employee", 'main."order"')


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rich") / "rich.duckdb"
    duckdb_file(path, (FIXTURES / "duckdb_rich.sql").read_text("utf-8"))
    return path


def target_of(path: Path) -> Target:
    return connector_for("duckdb://").target(f"duckdb:///{path}")


def both(rich: Path, replica: Path, query: str) -> tuple[list[Any], list[Any]]:
    return duckdb_rows(rich, query), duckdb_rows(replica, query)


@pytest.mark.parametrize("relay", [True, False])
def test_every_value_arrives_as_it_is(rich: Path, tmp_path: Path, relay: bool) -> None:
    replica = tmp_path / "replica.duckdb"
    done = copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED, relay=relay)
    assert set(done.relayed.values()) == {relay}
    for table in COMPARED:
        # As text, since NaN equals nothing and a union's tag does not show otherwise.
        before, after = both(rich, replica, f"SELECT t::VARCHAR FROM {table} t ORDER BY 1")
        assert before == after, table
        assert before
    assert done.counts[TableName("hr", "employee")] == 5
    assert done.broken == {
        "main.person.person_country_code_code_fkey": 0,
        "hr.employee.employee_boss_id_fkey": 0,
        "hr.employee.employee_second_id_fkey": 0,
        "main.order.order_person_id_id_fkey": 0,
    }
    assert [p.name for p in tmp_path.iterdir()] == ["replica.duckdb"]


CATALOG = (
    "SELECT sql FROM duckdb_tables() WHERE table_name <> 'skipped' ORDER BY 1",
    "SELECT sql FROM duckdb_indexes() ORDER BY 1",
    "SELECT sql FROM duckdb_views() WHERE NOT internal AND view_name <> 'secrets' ORDER BY 1",
    "SELECT type_name, labels FROM duckdb_types() WHERE NOT internal ORDER BY 1",
    "SELECT function_name, parameters, macro_definition FROM duckdb_functions() "
    "WHERE NOT internal AND function_name <> 'dbmask_replica' ORDER BY 1",
    "SELECT sequence_name, min_value, max_value, increment_by, comment FROM duckdb_sequences() ORDER BY 1",
    "SELECT table_name, comment FROM duckdb_tables() WHERE comment IS NOT NULL",
    "SELECT column_name, comment FROM duckdb_columns() WHERE comment IS NOT NULL AND table_name <> 'skipped'",
    "SELECT view_name, comment FROM duckdb_views() WHERE comment IS NOT NULL",
    "SELECT index_name, comment FROM duckdb_indexes() WHERE comment IS NOT NULL",
    "SELECT add_tax(10), add_tax(10, rate := 1)",
    "SELECT id FROM adults(1990)",
    "SELECT tags FROM duckdb_databases() WHERE NOT internal",
)


def test_the_structure_arrives(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.duckdb"
    done = copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    for query in CATALOG:
        before, after = both(rich, replica, query)
        assert before == after, query
        assert before
    assert done.structure.left_out == ("view main.secrets: it needs something that is not in the replica",)
    assert b"not for copying" not in replica.read_bytes()


def test_an_older_storage_version_is_kept(tmp_path: Path) -> None:
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{tmp_path / 'old.duckdb'}' AS old (STORAGE_VERSION 'v1.2.0')")
        db.execute("CREATE TABLE old.t (x INTEGER)")
    copy(f"duckdb:///{tmp_path / 'old.duckdb'}", f"duckdb:///{tmp_path / 'new.duckdb'}")
    before, after = both(
        tmp_path / "old.duckdb", tmp_path / "new.duckdb", "SELECT tags FROM duckdb_databases() WHERE NOT internal"
    )
    assert before == after


def test_columns_and_tables_that_do_not_come_leave_no_trace(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.duckdb"
    chosen = Chosen(("skipped", "country", "employee"), dropped={"person": ("email", 'we"ird, name', "token")})
    done = copy(f"duckdb:///{rich}", f"duckdb:///{replica}", chosen)
    columns = {
        n for (n,) in duckdb_rows(replica, "SELECT column_name FROM duckdb_columns() WHERE table_name = 'person'")
    }
    assert not columns & {"email", "token", "initial", 'we"ird, name'}
    said = "it needs something that is not in the replica"
    assert set(done.structure.left_out) == {
        'generated column "initial" of main.person: column we"ird, name is dropped',
        'check of main.person: column we"ird, name is dropped',
        "unique constraint of main.person: column token is dropped",
        "foreign key of main.person: table country is not in the replica",
        f"index main.person_lower: {said}",
        f"view hr.staff: {said}",
        f"view main.counted: {said}",
        f"view main.secrets: {said}",
    }
    assert b"ann@example.com" not in replica.read_bytes()


def test_sequences_go_on_past_the_masked_keys(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "replica.duckdb"

    def far(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        if table.name.name != "person":
            return query
        moved = exp.alias_(exp.column("id", table="dbmask_src", quoted=True) + 5000, "id", quoted=True)
        return query.select(moved, *query.expressions[1:], append=False)

    chosen = Chosen(("skipped", "order"))
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", chosen, select=far)
    with duckdb.connect(str(replica)) as db:
        assert db.execute("SELECT nextval('person_seq')").fetchall() == [(5103,)]
        assert db.execute("SELECT nextval('hr.\"odd one\"')").fetchall() == [(-2,)]
        assert db.execute("SELECT nextval('unused')").fetchall() == [(1,)]


def test_rows_that_refer_to_their_own_table_come_in_generations(tmp_path: Path) -> None:
    script = """CREATE TABLE t (a INTEGER, b INTEGER, pa INTEGER, pb INTEGER, PRIMARY KEY (a, b),
      FOREIGN KEY (pa, pb) REFERENCES t (a, b));
    INSERT INTO t VALUES (0, 0, NULL, NULL);"""
    for n in range(1, 6):
        script += f"INSERT INTO t SELECT {n}, i, {n - 1}, CASE WHEN i = 7 THEN NULL ELSE 0 END FROM range(50) r(i);"
    source = duckdb_file(tmp_path / "a.duckdb", script)
    for relay in (True, False):
        done = copy(source, f"duckdb:///{tmp_path / 'b.duckdb'}", relay=relay, batch_rows=20)
        assert done.counts == {TableName("main", "t"): 251}
        before, after = both(tmp_path / "a.duckdb", tmp_path / "b.duckdb", "SELECT * FROM t ORDER BY ALL")
        assert before == after


def test_rows_in_a_circle_are_an_error_that_quotes_none(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES t (id))")
    said = r"2 rows refer to nothing, or to each other in a circle \(t_p_id_fkey\)"
    with building(url, tmp_path / "b.duckdb") as (target, tables):
        refused = pytest.raises(ConnectorError, match=said)
        with refused, target.sink(tables["t"]) as sink:
            sink.write([[1, 2, 3], [None, 3, 2]])


@contextmanager
def building(source_url: str, path: Path) -> Iterator[tuple[Target, dict[str, TargetTable]]]:
    """A target with its tables created, and the tables by name."""
    with closing(connector_for(source_url).source(source_url)) as source, closing(target_of(path)) as target:
        schema = source.schema()
        tables = target_tables(schema)
        target.begin()
        target.create(source.structure(schema, tables))
        yield target, {t.name.name: t for t in tables}


def test_masks_with_keys_run_in_the_relay(rich: Path, tmp_path: Path) -> None:
    key = example_keys().column("hash")

    def masked(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        if table.name.name != "employee":
            return query
        name = query.expressions[-1]
        made = exp.alias_(dialect("duckdb").prf_hex(name.this, key.name), "name", quoted=True)
        return query.select(*query.expressions[:-1], made, append=False)

    replica = tmp_path / "r.duckdb"
    done = copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED, select=masked, pads={key.name: key.pads})
    assert done.relayed and all(done.relayed.values())
    expected = sorted((key.prf(n.encode()).hex(),) for n in ("Top", "A", "B", "C", "D"))
    assert duckdb_rows(replica, "SELECT name FROM hr.employee ORDER BY 1") == expected
    assert key.pads.inner not in replica.read_bytes()


def test_constraint_errors_name_columns_and_no_values(rich: Path, tmp_path: Path) -> None:
    cases: list[tuple[str, list[list[Any]], str]] = [
        ("country", [["secret", "secret"], ["a", "b"]], "primary key or unique constraint is violated"),
        ("country", [["secret"], [None]], "NOT NULL constraint failed: country"),
        ("order", [[1], [42], ["secret"]], "a foreign key is violated"),
        ("order", [["secret"], [42], ["x"]], r'main\.order\."id": a value does not fit'),
        ("order", [[2**80], [42], ["x"]], r'main\.order\."id": a value does not fit'),
        ("skipped", [[1], ["\udcff"]], "not valid UTF-8"),
    ]
    for table, batch, said in cases:
        with building(f"duckdb:///{rich}", tmp_path / "b.duckdb") as (target, tables):
            with pytest.raises(ConnectorError, match=said) as error, target.sink(tables[table]) as sink:
                sink.write(batch)
            assert "secret" not in str(error.value)
            assert error.value.__cause__ is None and error.value.__suppress_context__


def test_a_check_is_told_without_its_literals(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x VARCHAR CHECK (x <> 'secret'))")
    with (
        building(url, tmp_path / "b.duckdb") as (target, tables),
        pytest.raises(ConnectorError, match="a CHECK constraint") as error,
        target.sink(tables["t"]) as sink,
    ):
        sink.write([["secret"]])
    assert "secret" not in str(error.value)


def test_the_replica_can_be_read_before_and_after_it_is_published(rich: Path, tmp_path: Path) -> None:
    with building(f"duckdb:///{rich}", tmp_path / "b.duckdb") as (target, tables):
        with target.sink(tables["skipped"]) as sink:
            sink.write([])
            sink.write([[1], ["a"]])
        with target.reader() as reader:
            assert list(reader.read(statement(tables["skipped"].table, ["id", "secret"]))) == [[[1], ["a"]]]
    replica = tmp_path / "b.duckdb"
    done = copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    country = done.structure.schema.tables[TableName("main", "country")]
    with closing(target_of(replica)) as target, target.reader() as reader:
        (batch,) = reader.read(statement(country, ["code"]))
        assert sorted(batch[0]) == ["FR", "cz"]
        assert target.check_foreign_keys(done.structure) == done.broken


def test_a_file_of_somebody_elses_is_not_replaced_unless_told_to(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.duckdb"
    duckdb_file(replica, "CREATE TABLE theirs (x INTEGER)")
    with pytest.raises(UsageError, match="was not made by dbmask"):
        copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    target_of(replica).check(overwrite=True)
    replica.write_text("no database at all" * 1000)
    with pytest.raises(UsageError, match="was not made by dbmask"):
        target_of(replica).check(overwrite=False)
    replica.unlink()
    duckdb_file(replica, "SELECT 1")
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)


def test_the_source_is_never_the_target(tmp_path: Path) -> None:
    source = tmp_path / "a.duckdb"
    url = duckdb_file(source, "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1);")
    os.link(source, tmp_path / "hard.duckdb")
    with closing(connector_for(url).source(url)) as opened, closing(target_of(tmp_path / "hard.duckdb")) as target:
        schema = opened.schema()
        (table,) = target_tables(schema)
        target.begin()
        target.create(opened.structure(schema, [table]))
        with opened.snapshot() as reader, pytest.raises(UsageError, match="one file"):
            target.relay(opened, reader, table, plain_query(table), lambda _: None)


def test_nothing_shows_before_publish_and_abort_leaves_nothing(rich: Path, tmp_path: Path) -> None:
    with building(f"duckdb:///{rich}", tmp_path / "b.duckdb") as (target, _):
        (folder,) = tmp_path.iterdir()
        assert folder.name.startswith(".b.duckdb.dbmask-building-")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        target.abort()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ConnectorError, match="nothing is being built"):
            target.publish()
        with pytest.raises(ConnectorError, match="nothing is being built"):
            target.create(None)  # type: ignore[arg-type]


KILLED = "import duckdb, os, sys; db = duckdb.connect(sys.argv[1]); db.execute('DELETE FROM \"order\"'); os._exit(0)"


def test_the_log_of_the_old_file_is_not_applied_to_the_new_one(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.duckdb"
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    subprocess.run([sys.executable, "-c", KILLED, str(replica)], check=True)
    assert (tmp_path / "b.duckdb.wal").stat().st_size > 0
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    assert [p.name for p in tmp_path.iterdir()] == ["b.duckdb"]
    assert duckdb_rows(replica, 'SELECT count(*) FROM "order"') == [(10,)]


HOLDER = """
import duckdb, sys
db = duckdb.connect(sys.argv[1])
db.execute('DELETE FROM "order"')
print("open", flush=True)
sys.stdin.read()
"""


def test_a_replica_in_use_is_not_replaced(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.duckdb"
    copy(f"duckdb:///{rich}", f"duckdb:///{replica}", SKIPPED)
    command = [sys.executable, "-c", HOLDER, str(replica)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConnectorError, match="another process has the database open"):
            target_of(replica).check(overwrite=False)
        with building(f"duckdb:///{rich}", replica) as (target, _), pytest.raises(ConnectorError, match="is in use"):
            target.publish()
        holder.communicate("")
    assert [p.name for p in tmp_path.iterdir()] == ["b.duckdb"]
    assert duckdb_rows(replica, 'SELECT count(*) FROM "order"') == [(0,)]


@pytest.mark.parametrize("name", ["nowhere/b.duckdb", "/proc/b.duckdb", ""])
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(DbmaskError, match=r"does not exist|cannot be written|no file can be made|is a directory"):
        target_of(tmp_path / name).begin()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("relay", [True, False])
def test_memory_does_not_grow_with_the_table(tmp_path: Path, relay: bool) -> None:
    script = "CREATE TABLE t AS SELECT i AS id, md5(i::VARCHAR) || repeat('x', 100) AS s FROM range(600_000) r(i)"
    source = duckdb_file(tmp_path / "a.duckdb", script)
    limits = "memory_limit=60MB&threads=1"
    done = copy(f"{source}?{limits}", f"duckdb:///{tmp_path / 'b.duckdb'}?{limits}", relay=relay, batch_rows=10_000)
    assert done.counts == {TableName("main", "t"): 600_000}
    summed = "SELECT count(*), sum(hash(id, s)) FROM t"
    assert duckdb_rows(tmp_path / "a.duckdb", summed) == duckdb_rows(tmp_path / "b.duckdb", summed)


def test_a_memory_limit_that_is_too_small_is_told(tmp_path: Path) -> None:
    script = "CREATE TABLE t AS SELECT md5(i::VARCHAR) AS id FROM range(300_000) r(i); CREATE INDEX i ON t (id);"
    source = duckdb_file(tmp_path / "a.duckdb", script)
    with pytest.raises(ConnectorError, match=r"memory_limit=4GB"):
        copy(source, f"duckdb:///{tmp_path / 'b.duckdb'}?memory_limit=8MB&threads=1")
    assert [p.name for p in tmp_path.iterdir()] == ["a.duckdb"]
