"""MariaDB as a source: keys that no log records, users and what they may read, errors that tell no values."""

from __future__ import annotations

import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError, UsageError
from dbmask.registry import connector_for
from dbmask.schema import Kind, TableName
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_reader import KeyTable, leaves_statement_log, why_no_keys
from dbmask_connectors._mysql_session import Session
from dbmask_connectors._mysql_source import MySQLSource
from dbmask_sql.dialects import dialect
from tests import fix_mariadb
from tests.connectors.mariadb_tools import (
    PADS,
    everything,
    run,
    select_all,
    small_table,
    source,
    user,
)
from tests.fix_mariadb import PASSWORD, MariaDB
from tests.fix_servers import acquire

MARIA = dialect("mysql")


def expected(value: str, key: str = "mail") -> str:
    """The keyed hash of a value, as Python makes it."""
    inner, outer = PADS[key]
    return sha256(outer + sha256(inner + value.encode()).digest()).hexdigest()


def keyed(column: exp.Expression, key: str = "mail") -> exp.Expression:
    """The keyed hash of a text column, as SQL makes it."""
    canonical = MARIA.canonical(column, Kind.TEXT)
    assert canonical is not None
    return MARIA.prf_hex(canonical, key)


def opened(url: str) -> MySQLSource:
    return MySQLSource(Address.parse(url))


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keyed_masks_equal_pythons(mariadb: MariaDB, maria_small: str) -> None:
    table = None
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
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


def test_the_keys_are_constants_of_the_plan(mariadb: MariaDB, maria_small: str) -> None:
    """One row, read before the query begins: EXPLAIN calls such a table `system`."""
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        reader.use_keys(PADS)
        made = reader.prepared(select_all(everything(one.schema())[0], {"v": keyed}))
        plan = reader.session.run(f"EXPLAIN {made.sql(dialect='mysql')}")
    assert [row[3] for row in plan] == ["system", "ALL"]


def test_a_key_that_the_session_does_not_have_is_an_error(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        made = select_all(everything(one.schema())[0], {"v": keyed})
        with pytest.raises(ConnectorError, match="keys that the session does not have"):
            list(reader.read(made))


def forms(pads: dict[str, tuple[bytes, bytes]]) -> list[bytes]:
    raw = [pad for pair in pads.values() for pad in pair if len(set(pad)) > 1]
    return [f for pad in raw for f in (pad[8:24], pad.hex()[16:48].encode(), pad.hex().upper()[16:48].encode())]


@pytest.mark.parametrize("format_", ["ROW", "MIXED", "STATEMENT"])
def test_keys_are_in_no_log(mariadb: MariaDB, maria_small: str, format_: str) -> None:
    logs = Path(mariadb.general_log).parent
    with mariadb.logged(), closing(Session(Address.parse(mariadb.url(maria_small)), maria_small)) as session:
        session.run(f"SET SESSION binlog_format = {format_}")
        keys = KeyTable(session)
        keys.add(PADS)
        table = TableName(maria_small, "t")
        made = keys.join(select_all(everything(source(mariadb, maria_small).schema())[0], {"v": keyed}))
        found = session.run(made.sql(dialect="mysql"))
        assert dict(found)[1] == expected("a"), table
        session.run("INSERT INTO t VALUES (99, 'logged')")
    said = Path(mariadb.general_log).read_bytes()
    assert b"LOAD DATA LOCAL INFILE 'keys'" in said
    assert b"'logged'" in said
    written = b"".join(path.read_bytes() for path in logs.glob("binlog.0*"))
    assert maria_small.encode() in written
    for secret in forms(PADS):
        assert secret not in said
        assert secret not in written


def test_a_log_of_statements_that_cannot_be_left_gets_no_keys(mariadb: MariaDB, maria_small: str) -> None:
    role = f"r_{time.monotonic_ns()}"
    run(mariadb, maria_small, f"CREATE ROLE {role}", f"GRANT BINLOG ADMIN ON *.* TO {role}")
    try:
        with (
            user(mariadb, f"ALL ON `{maria_small}`.*", role) as url,
            closing(Session(Address.parse(url + maria_small), maria_small)) as session,
        ):
            session.run(f"SET ROLE {role}")
            session.run("SET SESSION binlog_format = STATEMENT")
            session.run("SET ROLE NONE")
            assert not leaves_statement_log(session)
            assert "binary log records statements" in why_no_keys(session)
            with pytest.raises(ConnectorError, match="none was sent"):
                KeyTable(session).add(PADS)
    finally:
        run(mariadb, maria_small, f"DROP ROLE {role}")


def test_why_keys_cannot_reach_a_session(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one:
        assert one.capabilities.keys_in_session
        assert one.capabilities.keyed_why_not == ""
    with user(mariadb, f"SELECT ON `{maria_small}`.*") as url, closing(opened(url + maria_small)) as one:
        assert not one.capabilities.keys_in_session
        assert "CREATE TEMPORARY TABLES" in one.capabilities.keyed_why_not


def test_a_server_that_takes_no_local_files_gets_no_keys() -> None:
    with acquire("bare", fix_mariadb._prepare) as facts:  # a server of its own: other tests load files meanwhile
        bare = MariaDB("127.0.0.1", facts["port"], facts["socket"], Path(facts["general_log"]))
        with small_table(bare) as name:
            run(bare, name, "SET GLOBAL local_infile = 0")
            with closing(source(bare, name)) as one:
                assert not one.capabilities.keys_in_session
                assert "local_infile" in one.capabilities.keyed_why_not


# -- who, where, what may be read --------------------------------------------------------------------------------------


def test_identity_is_the_servers_whatever_the_url_says(mariadb: MariaDB, maria_small: str, mariadb_db: str) -> None:
    other = mariadb_db.rpartition("/")[2]
    by_name = mariadb.url(maria_small).replace("127.0.0.1", "localhost") + f"?unix_socket={mariadb.socket}"
    with (
        closing(source(mariadb, maria_small)) as one,
        closing(opened(by_name)) as same,
        closing(source(mariadb, other)) as another,
    ):
        assert one.identity() == same.identity()
        assert one.identity() != another.identity()
        assert one.server() == another.server()


def test_privileges_name_what_cannot_be_read(mariadb: MariaDB, maria_small: str) -> None:
    run(mariadb, maria_small, "CREATE TABLE u (id int, hidden int)", "CREATE TABLE w (id int)")
    names = [TableName(maria_small, n) for n in ("t", "u", "w")]
    with (
        user(mariadb, f"SELECT ON `{maria_small}`.t", f"SELECT (id) ON `{maria_small}`.u") as url,
        closing(opened(url + maria_small)) as one,
    ):
        found = one.privileges(names)
    assert set(found) == set(names[1:])
    assert all("privilege" in why and maria_small not in why for why in found.values())
    with closing(source(mariadb, maria_small)) as one:
        assert one.privileges(names) == {}


def test_a_login_that_fails_names_the_place_and_no_password(mariadb: MariaDB, maria_small: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        opened(mariadb.url(maria_small).replace(PASSWORD, "wrong-secret"))
    assert f"127.0.0.1:{mariadb.port}/{maria_small}" in str(caught.value)
    assert "login was refused" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert PASSWORD not in repr(Address.parse(mariadb.url(maria_small)))


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


def test_a_server_cannot_ask_for_files(mariadb: MariaDB, maria_small: str, tmp_path: Path) -> None:
    """A statement that would send a file of this machine's is refused by the client."""
    path = tmp_path / "passwords"
    path.write_text("1\tsecret\n")
    with closing(source(mariadb, maria_small)) as one, pytest.raises((ConnectorError, RuntimeError)):
        one.session.run(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t")
    with closing(mariadb.connect(maria_small)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM t WHERE v = 'secret'")
        assert cursor.fetchone() == (0,)
