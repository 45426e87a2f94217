"""The same as :mod:`tests.cloner.crashing` in MariaDB: a source to be cloned while things go wrong, and what the replica has to be."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloner.crashing import Busy
from tests.fix_mariadb import MariaDB

__all__ = ["SCHEMA", "MariaPlace", "MariaWriter", "contents", "leftovers", "make", "replica_rows", "unmake"]

SCHEMA = """
CREATE TABLE person (id bigint PRIMARY KEY, name varchar(100) NOT NULL, email varchar(100) COLLATE utf8mb4_nopad_bin UNIQUE, boss bigint,
  FOREIGN KEY (boss) REFERENCES person (id));
CREATE TABLE item (id bigint AUTO_INCREMENT PRIMARY KEY, person bigint NOT NULL, label varchar(300), amount decimal(9,2),
  FOREIGN KEY (person) REFERENCES person (id));
CREATE TABLE loose (what varchar(200), who varchar(100));
CREATE TABLE event (id bigint, day date, who varchar(100), PRIMARY KEY (id, day))
  PARTITION BY HASH (year(day)) PARTITIONS 3;
CREATE TABLE note (id int PRIMARY KEY, body varchar(100), noted varchar(9));
CREATE VIEW totals AS SELECT person, sum(amount) AS total FROM item GROUP BY person;
CREATE TRIGGER noting BEFORE UPDATE ON note FOR EACH ROW SET NEW.noted = 'noted';
CREATE FUNCTION double_of(n int) RETURNS int DETERMINISTIC RETURN n * 2;
INSERT INTO person SELECT seq, concat('Name ', seq), concat('p', seq, '@mail.example'), nullif(seq DIV 10, 0)
  FROM seq_1_to_{n} ORDER BY seq;
INSERT INTO item (person, label, amount) SELECT 1 + seq % {n}, repeat(concat('label ', seq), 5), seq FROM seq_1_to_{n3};
INSERT INTO loose SELECT repeat(md5(seq), 3), concat('Who ', seq) FROM seq_1_to_{n};
INSERT INTO event SELECT seq, date('2020-01-01') + interval seq % 700 day, concat('Name ', seq) FROM seq_1_to_{n};
INSERT INTO note SELECT seq, concat('Body ', seq), 'new' FROM seq_1_to_{n};
ANALYZE TABLE person, item, loose, event, note;
"""
TABLES = ("person", "item", "loose", "event", "note")
_OBJECTS = (
    "SELECT table_name, index_name, column_name FROM information_schema.statistics WHERE table_schema = %s ORDER BY 1, 2, 3",
    "SELECT constraint_name, table_name FROM information_schema.table_constraints WHERE table_schema = %s ORDER BY 1, 2",
    "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s ORDER BY 1",
    "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s ORDER BY 1",
    "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s ORDER BY 1",
    "SELECT auto_increment FROM information_schema.tables WHERE table_schema = %s AND table_name = 'item'",
)


@dataclass(frozen=True)
class MariaPlace:
    """Places in MariaDB."""

    server: MariaDB
    source: str
    target: str
    folder: Path

    @property
    def state(self) -> str:
        """The state database's URL."""
        return f"sqlite:///{self.folder / 'state.db'}"

    def url(self, name: str) -> str:
        """A database's URL."""
        return f"{self.server.url(name)}?ssl_disabled=1"

    def sql(self, query: str) -> None:
        """Run statements in the source."""
        self.server.mysql(self.source, query)


def make(place: MariaPlace, rows: int) -> None:
    """Fill the source."""
    place.server.create_database(place.source)
    place.sql(SCHEMA.replace("{n3}", str(rows * 3)).replace("{n}", str(rows)))


def unmake(place: MariaPlace) -> None:
    """Drop the source, the target, and all beside them."""
    for name in (place.source, place.target, *_beside(place)):
        place.server.drop_database(name)


def _beside(place: MariaPlace) -> list[str]:
    with closing(place.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM information_schema.schemata")
        return sorted(name for (name,) in cursor.fetchall() if name.startswith(f"{place.target}__dbmask"))


def contents(place: MariaPlace, name: str | None = None) -> list[Any]:
    """All that a replica must have: rows, keys, indexes, views, triggers, routines."""
    name = name or place.target
    with closing(place.server.connect(name)) as connection, connection.cursor() as cursor:
        found: list[Any] = []
        for table in (*TABLES, "totals"):
            cursor.execute(f"SELECT * FROM {table}")
            found.append(sorted(cursor.fetchall(), key=repr))
        for query in _OBJECTS:
            cursor.execute(query, (name,))
            found.append(cursor.fetchall())
        return found


def replica_rows(place: MariaPlace) -> dict[str, list[Any]]:
    """The rows of the replica, as ``expected`` gives them."""
    found = {}
    with closing(place.server.connect(place.target)) as connection, connection.cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT * FROM {name}")
            found[f"{place.source}.{name}"] = sorted(tuple(map(str, row)) for row in cursor.fetchall())
    return found


def leftovers(place: MariaPlace, patience: float = 5.0) -> dict[str, list[Any]]:
    """Sessions in this place's databases, when the server has noticed that their clients are gone, and databases being built."""
    deadline = time.monotonic() + patience
    while True:
        with closing(place.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, db, command, info FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
                "AND (db = %s OR db LIKE %s)",
                (place.source, f"{place.target}%"),
            )
            sessions = list(cursor.fetchall())
        if not sessions or time.monotonic() > deadline:
            return {"sessions": sessions, "databases": _beside(place)}
        time.sleep(0.05)


class MariaWriter(Busy):
    """Inserts, updates, deletes, moves between partitions."""

    def __init__(self, place: MariaPlace, seed: int) -> None:
        super().__init__(seed)
        self._place = place

    def _write(self) -> None:
        choose = self._random.randrange
        with closing(self._place.server.connect(self._place.source)) as connection, connection.cursor() as cursor:
            while not self._stop.is_set():
                one = choose(1, 200)
                cursor.execute(
                    self._random.choice(
                        (
                            f"UPDATE person SET name = 'N{choose(10**6)}', email = 'e{choose(10**9)}@m.example' WHERE id = {one}",
                            f"INSERT INTO item (person, label, amount) VALUES ({one}, 'written {choose(10**6)}', 1)",
                            f"DELETE FROM item WHERE id = {choose(1, 600)}",
                            f"UPDATE event SET day = date('2020-01-01') + interval {choose(700)} day WHERE id = {one}",
                            f"UPDATE note SET body = 'b{choose(10**6)}' WHERE id = {one}",
                            f"INSERT INTO loose VALUES ('w{choose(10**6)}', 'who')",
                        )
                    )
                )
                time.sleep(0.01)
