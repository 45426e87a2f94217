"""A MariaDB source, its replica, and what a fresh clone would be."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import clone
from dbmask.keys import KeyRing
from dbmask.policy import Policy
from dbmask.refresher import RefreshResult, refresh
from tests.fix_mariadb import MariaDB
from tests.refresher.nights import KEY

__all__ = ["Night", "opened"]

_numbers = itertools.count()


class Night:
    """A source, its replica, and what a fresh clone would be."""

    def __init__(self, server: MariaDB, folder: Path, schema: str, policy: str) -> None:
        self.server, self.folder = server, folder
        self.name = f"swapped_{os.getpid()}_{next(_numbers)}"
        self.policy = policy
        self.said: list[str] = []
        server.create_database(self.source)
        self.sql(schema)

    @property
    def source(self) -> str:
        return f"{self.name}_src"

    @property
    def target(self) -> str:
        return f"{self.name}_dst"

    def sql(self, text: str, *, replica: bool = False) -> None:
        self.server.mysql(self.target if replica else self.source, text)

    def loaded(self) -> tuple[Policy, KeyRing]:
        policy = Policy.from_text(self.policy, "yaml")
        return policy, policy.keyring(environ={"DBMASK_KEY": KEY})

    def refresh(self) -> RefreshResult:
        policy, keys = self.loaded()
        return refresh(policy, keys=keys, state=f"sqlite:///{self.folder / 'state.db'}", say=self.said.append)

    def start(self) -> subprocess.Popen[str]:
        """Run the job by the command line, in a process of its own."""
        path = self.folder / "policy.yaml"
        path.write_text(self.policy, "utf-8")
        more = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "DBMASK_KEY": KEY}
        argv = [
            sys.executable,
            "-m",
            "dbmask",
            "refresh",
            str(path),
            "--state",
            f"sqlite:///{self.folder / 'state.db'}",
        ]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **more}
        )

    def fresh(self) -> dict[str, Any]:
        policy, keys = self.loaded()
        name = f"{self.name}_fresh"
        clone(policy, self.server.url(self.source), self.server.url(name), keys=keys, keep_previous=0)
        return self.contents(name)

    def replica(self) -> dict[str, Any]:
        return self.contents(self.target)

    def rows(self, sql: str, *values: Any, database: str | None = None) -> list[tuple[Any, ...]]:
        with closing(self.server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def contents(self, name: str) -> dict[str, Any]:
        """Rows in order, definitions, and what may be written."""
        found: dict[str, Any] = {}
        listed = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s ORDER BY 1"
        for table, kind in self.rows(listed, name):
            if table.startswith("dbmask"):
                continue
            found[table] = sorted(map(repr, self.rows(f"SELECT * FROM `{table}`", database=name)))
            made = self.rows(f"SHOW CREATE TABLE `{table}`", database=name)[0][1]
            # A key that was made again comes last.
            found[f"{table}: made"] = sorted(line.strip(", ") for line in made.replace(name, "").splitlines())
            assert self.name not in made.replace(name, ""), "a key that leads into another database"
            assert kind in ("BASE TABLE", "VIEW")
        sql = (
            "SELECT trigger_name, event_object_table, action_statement FROM information_schema.triggers "
            "WHERE trigger_schema = %s ORDER BY 1"
        )
        found["triggers"] = self.rows(sql, name)
        return found

    def storage(self) -> dict[str, Any]:
        """What tells a table that was written anew from one that was left alone."""
        sql = "SELECT substring_index(name, '/', -1), table_id FROM information_schema.innodb_sys_tables WHERE name LIKE %s"
        return {name: number for name, number in self.rows(sql, f"{self.target}/%")}

    def beside(self) -> list[str]:
        sql = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE %s"
        return [name for (name,) in self.rows(sql, f"{self.target}\\_\\_%")]

    def close(self) -> None:
        for name in (self.source, self.target, f"{self.name}_fresh", *self.beside()):
            self.server.mysql("mysql", f"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS `{name}`")


@contextmanager
def opened(server: MariaDB, folder: Path, monkeypatch: pytest.MonkeyPatch, schema: str, policy: str) -> Iterator[Night]:
    """A night whose policy names its ends by SWAP_SOURCE and SWAP_TARGET."""
    made = Night(server, folder, schema, policy)
    monkeypatch.setenv("SWAP_SOURCE", server.url(made.source))
    monkeypatch.setenv("SWAP_TARGET", server.url(made.target))
    try:
        yield made
    finally:
        made.close()
