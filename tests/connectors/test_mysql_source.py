"""MariaDB as a source: one snapshot, values as they are, keys that no log records, errors that tell no values."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError, UsageError
from dbmask.registry import connector_for
from dbmask.schema import Kind, TableName
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_reader import KeyTable, leaves_statement_log, why_no_keys
from dbmask_connectors._mysql_session import Session
from dbmask_connectors._mysql_source import MySQLSource
from dbmask_sql.dialects import dialect
from tests.connectors.mariadb_tools import everything, fresh, rich_database, select_all, source
from tests.fix_mariadb import PASSWORD, MariaDB

PADS = {
    # Not a run of control characters: other tests write such values, and a log of the server is searched for these.
    "mail": (hashlib.sha512(b"inner").digest(), hashlib.sha512(b"outer").digest()),
    "name": (b"\\,\n\t'\r\0N" * 8, b"\0" * 64),
}
MARIA = dialect("mysql")


def expected(value: str, key: str = "mail") -> str:
    inner, outer = PADS[key]
    return sha256(outer + sha256(inner + value.encode()).digest()).hexdigest()


def keyed(column: exp.Expression, key: str = "mail") -> exp.Expression:
    canonical = MARIA.canonical(column, Kind.TEXT)
    assert canonical is not None
    return MARIA.prf_hex(canonical, key)


@pytest.fixture(scope="module")
def rich(mariadb: MariaDB) -> Iterator[str]:
    with rich_database(mariadb) as name:
        yield name


@pytest.fixture
def small(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "small", make=True) as name, closing(mariadb.connect(name)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(40))")
            cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'ž'), (3, '')")
        yield name


def parsed(sql: str) -> exp.Select:
    made = parse_one(sql, read="mysql")
    assert isinstance(made, exp.Select)
    return made


def query(name: str, *columns: str) -> exp.Select:
    return parsed(f"SELECT {', '.join(columns)} FROM `{name}`.`t` AS dbmask_src ORDER BY id")


def run(server: MariaDB, name: str, *statements: str) -> None:
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def user(server: MariaDB, *grants: str) -> Iterator[str]:
    """A user with these grants; the URL's part before the database."""
    name = f"u_{time.monotonic_ns()}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'pw'")
        for grant in grants:
            cursor.execute(f"GRANT {grant} TO {name}@'127.0.0.1'")
        try:
            yield f"mysql://{name}:pw@{server.host}:{server.port}/"
        finally:
            cursor.execute(f"DROP USER {name}@'127.0.0.1'")


def opened(url: str) -> MySQLSource:
    return MySQLSource(Address.parse(url))


# -- the snapshot ------------------------------------------------------------------------------------------------------


def test_a_snapshot_sees_one_moment(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        run(
            mariadb,
            small,
            "UPDATE t SET v = 'later' WHERE id = 1",
            "DELETE FROM t WHERE id = 2",
            "INSERT INTO t VALUES (4, 'x')",
        )
        assert list(reader.read(query(small, "id", "v"))) == [[[1, 2, 3], ["a", "ž", ""]]]
        assert "binlog." in reader.position
        assert "GTID" in reader.position


def test_a_snapshot_locks_nothing(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        reader.use_keys(PADS)
        assert [len(b[0]) for b in reader.read(query(small, "id"))] == [3]
        with closing(mariadb.connect(small)) as connection, connection.cursor() as cursor:
            cursor.execute("SET innodb_lock_wait_timeout = 1")
            cursor.execute("UPDATE t SET v = 'free'")


def test_rows_come_in_batches_of_at_most_what_is_asked_for(mariadb: MariaDB, small: str) -> None:
    run(mariadb, small, "INSERT INTO t SELECT seq, 'v' FROM seq_10_to_3000")
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        sizes = [len(batch[0]) for batch in reader.read(query(small, "id", "v"), 1_000)]
    assert sum(sizes) == 2_994
    assert max(sizes) <= 1_000


def test_rows_that_nobody_reads_are_cancelled(mariadb: MariaDB, small: str) -> None:
    run(mariadb, small, "CREATE TABLE big AS SELECT seq AS id, repeat('x', 4000) AS v FROM seq_1_to_30000")
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        big = parsed(f"SELECT v FROM `{small}`.big")
        assert next(iter(reader.read(big)))
        assert [len(b[0]) for b in reader.read(query(small, "id"))] == [3]


def test_two_readings_at_once_are_refused(mariadb: MariaDB, small: str) -> None:
    run(mariadb, small, "CREATE TABLE big AS SELECT seq AS id, repeat('x', 4000) AS v FROM seq_1_to_30000")
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        first = reader.read(parsed(f"SELECT v FROM `{small}`.big"))
        next(first)
        with pytest.raises(ConnectorError, match="still being read"):
            next(reader.read(query(small, "id")))
        assert sum(len(b[0]) for b in first) > 0


def test_an_interrupted_reading_ends_on_the_server(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one:
        with pytest.raises(KeyboardInterrupt), one.snapshot() as reader:
            thread = reader.session.thread
            raise KeyboardInterrupt
        with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
            for _ in range(50):
                cursor.execute(f"SELECT 1 FROM information_schema.processlist WHERE id = {thread}")
                if not cursor.fetchall():
                    return
                time.sleep(0.1)
    pytest.fail("the session lives on")


def test_a_table_altered_after_the_snapshot_is_an_error_without_values(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        run(mariadb, small, "ALTER TABLE t ADD COLUMN w int, FORCE")
        with pytest.raises(ConnectorError, match="definition changed"):
            list(reader.read(query(small, "id")))


# -- values ------------------------------------------------------------------------------------------------------------


def values(reader: Any, name: str, column: str) -> list[Any]:
    made = parsed(f"SELECT `{column}` FROM `{name}`.every_type AS dbmask_src ORDER BY id")
    return [v for batch in reader.read(made) for v in batch[0]]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("ubi", [None, 2**64 - 1, 0, 1, 1]),
        ("f", [None, 0.10000000149011612, 16777216.0, -3.4028234663852886e38, 1.401298464324817e-45]),
        ("d", [None, 0.1, 1e308, -2.2250738585072014e-308, 0.30000000000000004]),
        ("b1", [None, True, False, None, True]),
        ("b64", [None, 2**64 - 1, 0, 5, 1]),
        ("dt", [None, dt.date(2024, 2, 29), "0000-00-00", "2024-00-00", dt.date(9999, 12, 31)]),
        ("tm", [None, dt.time(23, 59, 59, 999999), "-838:59:59.000000", dt.time(0), dt.time(12, 0, 0, 1)]),
        (
            "dtm",
            [
                None,
                dt.datetime(2024, 2, 29, 12, 0, 0, 1),
                "0000-00-00 00:00:00.000000",
                "2024-02-31 00:00:00.000000",
                dt.datetime(9999, 12, 31, 23, 59, 59),
            ],
        ),
        (
            "ts",
            [
                None,
                dt.datetime(2024, 2, 29, 12, 0, 0, 1, dt.UTC),
                dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
                None,
                dt.datetime(2038, 1, 19, 3, 14, 7, 999999, dt.UTC),
            ],
        ),
        ("y", [None, 2024, 0, 1901, 2155]),
        ("ch", [None, "char", "", "a'b", "עברית"]),
        ("latin", [None, "lu\u0165ou?k\u00fd", "", "'", "x"]),
        ("wide", [None, "漢字😀", "", "", "x"]),
        ("kana", [None, "カタカナ表", "", "ソ", "x"]),
        ("bn", [None, b"ab\0\0\0", b"\0" * 5, b"\\'\0\0\0", b"x\0\0\0\0"]),
        ("vb", [None, b"\0\1\n\r\t'\\\"\x2c\x1a\0", b"", b"\\", b"x"]),
        ("en", [None, "ž", "a", None, "a"]),
        ("st", [None, "x,z", "", None, "y"]),
        ("js", [None, '{"k": "v\\n"}', '""', "[1.10]", "true"]),
        ("u", [None, "919a3c15-e6df-11f1-a84b-02fc00000001", "00000000-0000-0000-0000-000000000000", None, None]),
        ("ip", [None, "2001:db8::1", "::", None, None]),
    ],
)  # fmt: skip
def test_values(mariadb: MariaDB, rich: str, column: str, expected: list[Any]) -> None:
    with closing(source(mariadb, rich)) as one, one.snapshot() as reader:
        found = values(reader, rich, column)
    if column in ("latin", "vb"):  # what latin1 could not hold was lost when the fixture was written
        assert [type(v) for v in found] == [type(v) for v in expected]
        assert found[2:] == expected[2:]
        return
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


def test_decimals_keep_all_their_digits(mariadb: MariaDB, rich: str) -> None:
    with closing(source(mariadb, rich)) as one, one.snapshot() as reader:
        found = values(reader, rich, "dec")
    assert found[1] == Decimal("12345678901234567890123456789012345.123456789012345678901234567890")
    assert found[2] == Decimal("-0.000000000000000000000000000001")


def test_a_uuid_reads_as_text_that_is_one(mariadb: MariaDB, rich: str) -> None:
    with closing(source(mariadb, rich)) as one, one.snapshot() as reader:
        found = values(reader, rich, "u")
    assert uuid.UUID(str(found[1])).hex == "919a3c15e6df11f1a84b02fc00000001"


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keyed_masks_equal_pythons(mariadb: MariaDB, small: str) -> None:
    table = None
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        table = everything(one.schema())[0]
        reader.use_keys({"mail": PADS["mail"]})
        made = select_all(table, {"v": keyed})
        (batch,) = reader.read(made)
        assert batch == [[1, 2, 3], [expected("a"), expected("ž"), expected("")]]
        reader.use_keys(PADS)  # keys may come later, and again
        both = select_all(table, {"id": lambda c: keyed(MARIA.to_text(c), "name"), "v": keyed})
        (batch,) = reader.read(both)
        assert batch[0] == [expected(str(n), "name") for n in (1, 2, 3)]
        assert batch[1] == [expected("a"), expected("ž"), expected("")]


def test_the_keys_are_constants_of_the_plan(mariadb: MariaDB, small: str) -> None:
    """One row, read before the query begins: EXPLAIN calls such a table `system`."""
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        reader.use_keys(PADS)
        made = reader.prepared(select_all(everything(one.schema())[0], {"v": keyed}))
        plan = reader.session.run(f"EXPLAIN {made.sql(dialect='mysql')}")
    assert [row[3] for row in plan] == ["system", "ALL"]


def test_a_key_that_the_session_does_not_have_is_an_error(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one, one.snapshot() as reader:
        made = select_all(everything(one.schema())[0], {"v": keyed})
        with pytest.raises(ConnectorError, match="keys that the session does not have"):
            list(reader.read(made))


def forms(pads: dict[str, tuple[bytes, bytes]]) -> list[bytes]:
    raw = [pad for pair in pads.values() for pad in pair if len(set(pad)) > 1]
    return [f for pad in raw for f in (pad[8:24], pad.hex()[16:48].encode(), pad.hex().upper()[16:48].encode())]


@pytest.mark.parametrize("format_", ["ROW", "MIXED", "STATEMENT"])
def test_keys_are_in_no_log(mariadb: MariaDB, small: str, format_: str) -> None:
    logs = Path(mariadb.general_log).parent
    run(mariadb, small, "SET GLOBAL general_log = 1")
    try:
        with closing(Session(Address.parse(mariadb.url(small)), small)) as session:
            session.run(f"SET SESSION binlog_format = {format_}")
            keys = KeyTable(session)
            keys.add(PADS)
            table = TableName(small, "t")
            made = keys.join(select_all(everything(source(mariadb, small).schema())[0], {"v": keyed}))
            found = session.run(made.sql(dialect="mysql"))
            assert dict(found)[1] == expected("a"), table
            session.run("INSERT INTO t VALUES (99, 'logged')")
    finally:
        run(mariadb, small, "SET GLOBAL general_log = 0")
    said = Path(mariadb.general_log).read_bytes()
    assert b"LOAD DATA LOCAL INFILE 'keys'" in said
    assert b"'logged'" in said
    written = b"".join(path.read_bytes() for path in logs.glob("binlog.0*"))
    assert small.encode() in written
    for secret in forms(PADS):
        assert secret not in said
        assert secret not in written


def test_a_log_of_statements_that_cannot_be_left_gets_no_keys(mariadb: MariaDB, small: str) -> None:
    role = f"r_{time.monotonic_ns()}"
    run(mariadb, small, f"CREATE ROLE {role}", f"GRANT BINLOG ADMIN ON *.* TO {role}")
    try:
        with (
            user(mariadb, f"ALL ON `{small}`.*", role) as url,
            closing(Session(Address.parse(url + small), small)) as session,
        ):
            session.run(f"SET ROLE {role}")
            session.run("SET SESSION binlog_format = STATEMENT")
            session.run("SET ROLE NONE")
            assert not leaves_statement_log(session)
            assert "binary log records statements" in why_no_keys(session)
            with pytest.raises(ConnectorError, match="none was sent"):
                KeyTable(session).add(PADS)
    finally:
        run(mariadb, small, f"DROP ROLE {role}")


def test_why_keys_cannot_reach_a_session(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as one:
        assert one.capabilities.keys_in_session
        assert one.capabilities.keyed_why_not == ""
    with user(mariadb, f"SELECT ON `{small}`.*") as url, closing(opened(url + small)) as one:
        assert not one.capabilities.keys_in_session
        assert "CREATE TEMPORARY TABLES" in one.capabilities.keyed_why_not
    run(mariadb, small, "SET GLOBAL local_infile = 0")
    try:
        with closing(source(mariadb, small)) as one:
            assert not one.capabilities.keys_in_session
            assert "local_infile" in one.capabilities.keyed_why_not
    finally:
        run(mariadb, small, "SET GLOBAL local_infile = 1")


# -- who, where, what may be read --------------------------------------------------------------------------------------


def test_identity_is_the_servers_whatever_the_url_says(mariadb: MariaDB, small: str, mariadb_db: str) -> None:
    other = mariadb_db.rpartition("/")[2]
    by_name = mariadb.url(small).replace("127.0.0.1", "localhost") + f"?unix_socket={mariadb.socket}"
    with (
        closing(source(mariadb, small)) as one,
        closing(opened(by_name)) as same,
        closing(source(mariadb, other)) as another,
    ):
        assert one.identity() == same.identity()
        assert one.identity() != another.identity()
        assert one.server() == another.server()


def test_privileges_name_what_cannot_be_read(mariadb: MariaDB, small: str) -> None:
    run(mariadb, small, "CREATE TABLE u (id int, hidden int)", "CREATE TABLE w (id int)")
    names = [TableName(small, n) for n in ("t", "u", "w")]
    with (
        user(mariadb, f"SELECT ON `{small}`.t", f"SELECT (id) ON `{small}`.u") as url,
        closing(opened(url + small)) as one,
    ):
        found = one.privileges(names)
    assert set(found) == set(names[1:])
    assert all("privilege" in why and small not in why for why in found.values())
    with closing(source(mariadb, small)) as one:
        assert one.privileges(names) == {}


def test_a_login_that_fails_names_the_place_and_no_password(mariadb: MariaDB, small: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        opened(mariadb.url(small).replace(PASSWORD, "wrong-secret"))
    assert f"127.0.0.1:{mariadb.port}/{small}" in str(caught.value)
    assert "login was refused" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert PASSWORD not in repr(Address.parse(mariadb.url(small)))


def test_no_server_and_no_database(mariadb: MariaDB) -> None:
    with pytest.raises(ConnectorError, match=r"cannot connect to 127\.0\.0\.1:1/x: no server answers there"):
        opened("mysql://u:p@127.0.0.1:1/x")
    with pytest.raises(ConnectorError, match="there is no such database"):
        source(mariadb, "not_there")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u@h/", "names its database"),
        ("mysql://u@h/d?colour=red", "unknown option colour"),
        ("mysql://u@h/d?ssl_disabled=maybe", "is 1 or 0"),
        ("mysql://u@h/d?read_timeout=soon", "number of seconds"),
        ("mysql://u@h/d?charset=latin1", "utf8mb4"),
        ("mysql://u@h:port/d", "no MySQL URL"),
    ],
)
def test_urls_that_are_wrong(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Address.parse(url)


def test_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "from the environment")
    made = Address.parse("mariadb+pymysql://me@h/d%20b?charset=utf8mb4&connect_timeout=3&ssl_disabled=1")
    assert (made.host, made.port, made.database, made.user) == ("h", 3306, "d b", "me")
    assert "from the environment" in made.parameters().values()
    assert dict(made.options) == {"connect_timeout": 3, "ssl_disabled": True}
    assert "in/url" in Address.parse("mysql://me:in%2Furl@h/d").parameters().values()


def test_the_registry_knows_the_schemes() -> None:
    for url in ("mysql://h/d", "mariadb://h/d", "mysql+pymysql://h/d"):
        assert connector_for(url).dialect == "mysql"


def test_a_server_cannot_ask_for_files(mariadb: MariaDB, small: str, tmp_path: Path) -> None:
    """A statement that would send a file of this machine's is refused by the client."""
    path = tmp_path / "passwords"
    path.write_text("1\tsecret\n")
    with closing(source(mariadb, small)) as one, pytest.raises((ConnectorError, RuntimeError)):
        one.session.run(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t")
    with closing(mariadb.connect(small)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM t WHERE v = 'secret'")
        assert cursor.fetchone() == (0,)
