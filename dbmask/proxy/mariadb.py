"""`dbmask install` for MariaDB and MySQL: masked views in a database of their own, and an account that can read nothing else.

The views run with the rights of their definer, a locked account; keys are one row of a table that the definer alone may
read, joined where masks need them, so that the views can still be merged into queries and use indexes. DDL is not
transactional here: a first install that fails takes back what it made.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from dbmask.errors import ConnectorError, Problem, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, Profile, build_plan
from dbmask.policy.model import Policy, TableMode
from dbmask.proxy.gaps import Gap
from dbmask.proxy.install import Installed
from dbmask.proxy.install_roles import RoleError
from dbmask.proxy.install_user_views import Standing, ordered, over_masked
from dbmask.proxy.mariadb_views import table_select
from dbmask.proxy.names import short_name
from dbmask.registry import connector_for
from dbmask.schema import TableName

__all__ = ["install_mariadb", "uninstall_mariadb"]

HOME = "dbmask"
"""The database of keys and of what is known of installs."""
OWNER = "dbmask_owner"

_CLASSES = """
CREATE TABLE IF NOT EXISTS `dbmask`.`class` (
  source varchar(64) NOT NULL, role varchar(128) NOT NULL, views varchar(64) NOT NULL, pads varchar(64) NOT NULL,
  made boolean NOT NULL, policy varchar(64) NOT NULL, generation bigint NOT NULL, PRIMARY KEY (source, role)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
"""


_ACCOUNT = "SELECT 1 FROM mysql.user WHERE User = %s AND Host = '%%'"


class _Load(Protocol):
    def write(self, data: bytes) -> None: ...

    def finish(self) -> tuple[int, int]: ...


class _Session(Protocol):
    def run(self, sql: str, args: Any = None) -> list[tuple[Any, ...]]: ...

    def value(self, sql: str, args: Any = None) -> Any: ...

    def load(self, sql: str) -> _Load: ...


@runtime_checkable
class _HasSession(Protocol):
    """A source that lends its own connection: what is installed is made by the account that the URL names."""

    @property
    def session(self) -> _Session: ...


@contextlib.contextmanager
def _session(url: str) -> Iterator[tuple[_Session, Any]]:
    opened = connector_for(url).source(url)
    try:
        if not isinstance(opened, _HasSession):
            raise UsageError("install works on PostgreSQL (postgresql://...) and MariaDB or MySQL (mysql://...)")
        yield opened.session, opened
    finally:
        opened.close()


def _quoted(*names: str) -> str:
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _account(role: str, host: str = "%") -> str:
    return f"{_text(role)}@{_text(host)}"


def install_mariadb(
    policy: Policy, source: str, role: str, *, keys: KeyRing | None = None, password: str | None = None
) -> Installed:
    """Install the masked views of a policy for account ``role`` in MariaDB or MySQL, or renew what is there.

    Without a ``password`` a new account is locked: it could be used without one. Columns whose masks run in Python show
    a placeholder. Raises PlanError, UsageError (among them RoleError) and ConnectorError.
    """
    ring = policy.keyring() if keys is None else keys
    with _session(source) as (session, opened):
        able = replace(opened.capabilities, keys_in_session=True, keyed_why_not="")
        plan = build_plan(policy, opened.schema(), able, Profile.VIEW, ring).require()
        run = _Run(session, plan, policy, role, ring)
        first = not run.known()
        try:
            return run.install(password)
        except BaseException:
            if first and run.known():
                with contextlib.suppress(ConnectorError):
                    _remove(session, plan.schema.default_schema, role)
            raise


@dataclass
class _Run:
    session: _Session
    plan: Plan
    policy: Policy
    role: str
    keys: KeyRing
    warnings: list[Problem] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.plan.schema.default_schema

    @property
    def views(self) -> str:
        return short_name("dbmask", self.role, self.source)

    @property
    def pads(self) -> str:
        return f"pads_{hashlib.sha256(f'{self.source}/{self.role}'.encode()).hexdigest()[:16]}"

    def known(self) -> bool:
        """Whether an install of this class is there."""
        return _class_row(self.session, self.source, self.role) is not None

    def install(self, password: str | None) -> Installed:
        s = self.session
        made = self._check_account()
        s.run(f"CREATE DATABASE IF NOT EXISTS {_quoted(HOME)} CHARACTER SET utf8mb4")
        s.run(_CLASSES)
        before = _class_row(s, self.source, self.role)
        made = made or bool(before and before[2])
        s.run(
            "REPLACE INTO `dbmask`.`class` VALUES (%s, %s, %s, %s, %s, %s, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED))",
            (self.source, self.role, self.views, self.pads, made, self.policy.digest),
        )
        self._account(password)
        self._owner()
        names = self._pads()
        self._make_database(before is not None)
        done = self._make_views(names)
        _may_read(s, _account(self.role), self.views)
        generation = s.value(
            "SELECT generation FROM `dbmask`.`class` WHERE source = %s AND role = %s", (self.source, self.role)
        )
        gaps = tuple(_gaps(s, self.role, self.views))
        warnings = (*self.plan.warnings, *self.warnings)
        return Installed(self.role, made, OWNER, (self.views,), tuple(done), warnings, gaps, {}, int(generation))

    def _check_account(self) -> bool:
        """Whether the account is to be made. Raises RoleError where it is there and may do more than read the views."""
        if self.session.value(_ACCOUNT, (self.role,)) is None:
            return True
        gaps = [g for g in _gaps(self.session, self.role, self.views) if g.kind == "ACCOUNT"]
        if gaps:
            hint = "use an account of its own, or: "
            raise RoleError([Problem(f"account {self.role}", g.what, hint + g.statement) for g in gaps])
        return False

    def _account(self, password: str | None) -> None:
        s, account = self.session, _account(self.role)
        if s.value(_ACCOUNT, (self.role,)) is None:
            s.run(f"CREATE USER {account} ACCOUNT LOCK")
            if password is None:
                what = "was made without a password and is locked"
                self.warnings.append(Problem(f"account {self.role}", what, "give it one with --password-file"))
        if password is not None:
            s.run(f"ALTER USER {account} IDENTIFIED WITH mysql_native_password AS {_text(_hashed(password))}")
            s.run(f"ALTER USER {account} ACCOUNT UNLOCK")

    def _owner(self) -> None:
        s = self.session
        account = _account(OWNER, "localhost")
        s.run(f"CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK")
        _may_read(s, account, self.source)
        _may_read(s, account, HOME)
        _may_read(s, account, self.views)

    def _pads(self) -> dict[str, int]:
        """One row with all pads, by LOAD DATA, whose data are in no statement log. Returns each key's place."""
        from dbmask_sql.keyref import key_names

        names = sorted({n for t in self.plan for u in t.units if u.exprs for e in u.exprs for n in key_names(e)})
        place = {name: at for at, name in enumerate(names)}
        s, table = self.session, _quoted(HOME, self.pads)
        columns = [f"dbmask_{part}{at}" for at in range(len(names)) for part in ("inner", "outer")]
        listed = "".join(f", {c} varbinary(64) NOT NULL" for c in columns)
        s.run(f"DROP TABLE IF EXISTS {table}")
        s.run(f"CREATE TABLE {table} (dbmask_id tinyint PRIMARY KEY{listed})")
        if not names:
            return place
        found = self.keys.pads(names)
        given = ", ".join(f"@v{at}" for at in range(len(columns)))
        made = ", ".join(f"{c} = UNHEX(@v{at})" for at, c in enumerate(columns))
        load = s.load(
            f"LOAD DATA LOCAL INFILE 'keys' INTO TABLE {table} CHARACTER SET binary FIELDS TERMINATED BY ',' "
            f"LINES TERMINATED BY '\\n' ({given}) SET dbmask_id = 1, {made}"
        )
        load.write((",".join(pad.hex() for name in names for pad in found[name]) + "\n").encode())
        if load.finish() != (1, 0):
            raise ConnectorError("the keys did not arrive whole")
        return place

    def _make_database(self, known: bool) -> None:
        s = self.session
        there = s.value("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (self.views,))
        if there is not None and not known:
            raise UsageError(f"database {self.views} exists and is none of dbmask's: rename it")
        s.run(f"CREATE DATABASE IF NOT EXISTS {_quoted(self.views)} CHARACTER SET utf8mb4")

    def _make_views(self, keys: dict[str, int]) -> list[str]:
        s = self.session
        old = {
            r[0]
            for r in s.run("SELECT table_name FROM information_schema.views WHERE table_schema = %s", (self.views,))
        }
        standing: dict[TableName, Standing] = {}
        done: list[str] = []
        for table in self.plan:
            if table.mode is TableMode.SKIP:
                continue
            select, left = table_select(table, keys, (HOME, self.pads))
            self._create(table.name.name, select, barrier=table.filter is not None)
            if left:
                what = f"shows placeholders for {', '.join(left)}, whose masks run in Python"
                self.warnings.append(Problem(str(table.name), what))
            standing[table.name] = Standing(self.views, table.name.name, table.name.name)
            done.append(f"{self.views}.{table.name.name}")
        for view in ordered(self.plan.schema.views):
            text = over_masked(view.definition, standing, "mysql")
            try:
                if text is None:
                    raise ConnectorError("its definition reads what has no masked relation, or cannot be read")
                self._create(view.name.name, text)
            except ConnectorError as error:
                self.warnings.append(Problem(str(view.name), f"has no masked view: {error}"))
                continue
            standing[view.name] = Standing(self.views, view.name.name, view.name.name)
            done.append(f"{self.views}.{view.name.name}")
        for name in sorted(old - {n.name for n in standing}):
            s.run(f"DROP VIEW IF EXISTS {_quoted(self.views, name)}")
        return done

    def _create(self, name: str, select: str, barrier: bool = False) -> None:
        """Make a view. One that filters rows is computed before a query's own conditions see it, and shows nothing of the rest."""
        account = _account(OWNER, "localhost")
        head = "CREATE OR REPLACE ALGORITHM = TEMPTABLE" if barrier else "CREATE OR REPLACE"
        self.session.run(
            f"{head} DEFINER = {account} SQL SECURITY DEFINER VIEW {_quoted(self.views, name)} AS {select}"
        )


def _pattern(name: str) -> str:
    """A database's name in GRANT, where _ and % stand for others."""
    return name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _may_read(session: _Session, account: str, database: str, *, gone: bool = False) -> None:
    """Give an account the right to read a database, or take it away."""
    verb, word = ("REVOKE", "FROM") if gone else ("GRANT", "TO")
    session.run(f"{verb} SELECT ON {_quoted(_pattern(database))}.* {word} {account}")


def _hashed(password: str) -> str:
    """The account's verifier, so that no statement holds the password."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _class_row(session: _Session, source: str, role: str) -> tuple[str, str, bool] | None:
    """The views' database, the pads' table, whether the account was made."""
    there = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'dbmask' AND table_name = 'class'"
    if session.value(there) is None:
        return None
    rows = session.run("SELECT views, pads, made FROM `dbmask`.`class` WHERE source = %s AND role = %s", (source, role))
    return (rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None


def _gaps(session: _Session, role: str, views: str) -> Iterator[Gap]:
    """What the account, and everyone, may do besides reading the views."""
    own = f"GRANT SELECT ON {_quoted(_pattern(views))}.* TO"
    for (line,) in session.run(f"SHOW GRANTS FOR {_account(role)}"):
        bare = str(line).partition(" IDENTIFIED ")[0]
        if not bare.startswith((own, "GRANT USAGE ON *.*")) or "GRANT OPTION" in str(line):
            what = bare.removeprefix("GRANT ").rpartition(" TO ")[0] or bare
            yield Gap(what.lower(), what, f"REVOKE {what} FROM {_account(role)};", "ACCOUNT", what, "")
    rows = session.run("SELECT DISTINCT Db, User FROM mysql.db WHERE User IN ('', 'PUBLIC') ORDER BY 1, 2")
    for database, user in rows:
        who = "PUBLIC" if user else "''@'%'"
        what = f"rights of {who} on database {database}"
        yield Gap(
            what.lower(), what, f"REVOKE ALL PRIVILEGES ON `{database}`.* FROM {who};", "PUBLIC", str(database), ""
        )


def uninstall_mariadb(source: str, role: str) -> list[str]:
    """Remove what install made for ``role``. Returns what was not undone. Raises UsageError where nothing is installed."""
    with _session(source) as (session, opened):
        return _remove(session, opened.schema().default_schema, role)


def _remove(session: _Session, source: str, role: str) -> list[str]:
    row = _class_row(session, source, role)
    if row is None:
        raise UsageError(f"nothing is installed for account {role} in this database")
    views, pads, made = row
    s, owner = session, _account(OWNER, "localhost")
    s.run(f"DROP DATABASE IF EXISTS {_quoted(views)}")
    s.run(f"DROP TABLE IF EXISTS {_quoted(HOME, pads)}")
    s.run("DELETE FROM `dbmask`.`class` WHERE source = %s AND role = %s", (source, role))
    if made and s.value("SELECT 1 FROM `dbmask`.`class` WHERE role = %s", (role,)) is None:
        s.run(f"DROP USER IF EXISTS {_account(role)}")
    else:
        with contextlib.suppress(ConnectorError):
            _may_read(s, _account(role), views, gone=True)
    _may_read(s, owner, views, gone=True)
    if s.value("SELECT 1 FROM `dbmask`.`class` WHERE source = %s", (source,)) is None:
        _may_read(s, owner, source, gone=True)
    if s.value("SELECT 1 FROM `dbmask`.`class`") is None:
        s.run(f"DROP USER IF EXISTS {owner}")
        s.run(f"DROP DATABASE IF EXISTS {_quoted(HOME)}")
    return []
