"""Databases beside databases: made, marked, renamed into place, dropped.

A database that is being built is named ``<target>__dbmask_<run>``. The session that makes it holds an advisory lock of
that name first, which ends with the process: what nobody holds and nobody is in was left by a run that died.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, UsageError
from dbmask_connectors._postgres_errors import translated

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "MARKER",
    "building_name",
    "carry_over",
    "check_rights",
    "clear_leftovers",
    "create_database",
    "drop",
    "is_empty",
    "is_ours",
    "number_of",
    "open_for_logins",
    "publish",
    "rename",
    "take_over",
]

MARKER = "made by dbmask"
_PART = "__dbmask_"
_OLD = "old"
_MAX = 63
_ATTEMPTS = 5
_AGAIN_SECONDS = 0.05


def _short(target: str) -> str:
    """A prefix of the target's name that leaves room for the run's mark, unique by a digest where it was cut."""
    room = _MAX - len(_PART) - 16
    raw = target.encode()
    if len(raw) <= room:
        return target
    return raw[: room - 9].decode("utf-8", "ignore") + "_" + hashlib.sha256(raw).hexdigest()[:8]


def building_name(target: str, run: str) -> str:
    """The name under which a run builds beside ``target``; 63 bytes at most. ``run`` is up to 16 hex digits."""
    return f"{_short(target)}{_PART}{run[:16]}"


def number_of(admin: psycopg.Connection[Any], name: str) -> int:
    """The oid of the database of this name; 0 where there is none."""
    row = admin.execute("SELECT oid::bigint FROM pg_database WHERE datname = %s", (name,)).fetchone()
    return int(row[0]) if row else 0


def is_ours(admin: psycopg.Connection[Any], name: str) -> bool:
    """Whether dbmask made it."""
    row = admin.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).fetchone()
    return bool(row and row[0] and str(row[0]).startswith(MARKER))


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database holds no relation, function, type or schema of a user's; extensions count for nothing."""
    own = """
        NOT EXISTS (SELECT FROM {0} o JOIN pg_namespace n ON n.oid = o.{1}
                    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
                    AND NOT EXISTS (SELECT FROM pg_depend d
                                    WHERE d.classid = '{0}'::regclass AND d.objid = o.oid AND d.deptype = 'e'))
    """
    parts = [own.format(c, s) for c, s in (("pg_class", "relnamespace"), ("pg_proc", "pronamespace"))]
    # An extension's array types hang on its types, not on itself.
    parts.append(own.format("pg_type", "typnamespace AND o.typcategory <> 'A'"))
    row = connection.execute(f"SELECT {' AND '.join(parts)}".encode()).fetchone()
    return bool(row and row[0])


def check_rights(admin: psycopg.Connection[Any], where: str) -> None:
    """Raise UsageError unless this user may make databases."""
    row = admin.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    if not row or not row[0]:
        raise UsageError(
            f"{where}: the replica is built in a database of its own, which needs the CREATEDB right (ALTER ROLE ... CREATEDB)"
        )


def create_database(admin: psycopg.Connection[Any], name: str, options: Mapping[str, str]) -> None:
    """Make a database from template0 with the source's encoding and locale; until it is published nobody else may enter."""
    from psycopg import sql

    admin.execute("SELECT pg_advisory_lock(%s)", (_lock_number(name),))
    query = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    for option in ("encoding", "locale_provider", "icu_locale", "lc_collate", "lc_ctype"):
        if options.get(option):
            query += sql.SQL(" {} {}").format(sql.SQL(option.upper()), sql.Literal(options[option]))
    admin.execute(query)
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(MARKER)))


def set_search_path(admin: psycopg.Connection[Any], name: str, schemas: Iterable[str]) -> None:
    """Where a database's sessions look for tables whose schema they do not name."""
    from psycopg import sql

    path = sql.SQL(", ").join(map(sql.Identifier, schemas))
    admin.execute(sql.SQL("ALTER DATABASE {} SET search_path = {}").format(sql.Identifier(name), path))


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(b"dbmask building " + name.encode()).digest()[:8], "big", signed=True)


def take_over(admin: psycopg.Connection[Any], name: str) -> bool:
    """Hold the lock of a database that a dead run was building and end its sessions; False where the run is still at work."""
    row = admin.execute("SELECT pg_try_advisory_lock(%s)", (_lock_number(name),)).fetchone()
    if not row or not row[0]:
        return False
    deadline = time.monotonic() + 10
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    while True:
        _end_sessions(admin, number_of(admin, name))
        left = admin.execute(query, (name,)).fetchone()
        if not left or not left[0] or time.monotonic() > deadline:
            return True
        time.sleep(0.05)


def clear_leftovers(admin: psycopg.Connection[Any], target: str) -> None:
    """Drop databases that dead runs built beside this target: those that nobody holds and nobody is in."""
    pattern = re.compile(re.escape(_short(target) + _PART) + rf"(?:[0-9a-f]{{1,16}}|{_OLD})\Z")
    rows = admin.execute(
        "SELECT datname FROM pg_database d WHERE pg_has_role(datdba, 'MEMBER') "
        "AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)"
    ).fetchall()
    for (name,) in rows:
        if pattern.match(name) and not _is_held(admin, name):
            drop(admin, name)


def _is_held(admin: psycopg.Connection[Any], name: str) -> bool:
    row = admin.execute(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
        "AND (classid::bigint << 32) | objid::bigint = %s)",
        (_lock_number(name),),
    ).fetchone()
    return bool(row and row[0])


def drop(admin: psycopg.Connection[Any], name: str) -> None:
    """Drop a database and end whatever sessions are in it."""
    from psycopg import sql

    if not number_of(admin, name):
        return
    version = admin.info.server_version
    if version < 130000:
        _end_sessions(admin, number_of(admin, name))
    force = sql.SQL(" WITH (FORCE)" if version >= 130000 else "")
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)) + force)


def publish(admin: psycopg.Connection[Any], built: str, target: str, kept: str = "") -> None:
    """Put ``built`` in the place of ``target``. Both renames are one transaction.

    The old database stays, closed, under the name ``kept``; without one it is dropped after the transaction.
    """
    from psycopg import Error, sql

    there = bool(number_of(admin, target))
    if not there:
        admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(sql.Identifier(built)))
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(built), sql.Identifier(target)))
        return
    with translated(f"the settings and grants of database {target}"):
        carry_over(admin, target, built)
    old = kept or building_name(target, _OLD)
    rename(admin, built, target, old)
    if kept:
        return
    try:
        drop(admin, old)
    except Error:
        return  # the replica is in place; the next run clears what is left


def rename(admin: psycopg.Connection[Any], built: str, target: str, old: str) -> None:
    """Move ``target`` to ``old``, which is closed, and ``built`` to ``target``, which is open, in one transaction. Raises ConnectorError.

    Nobody is let into a database that is being renamed, and the server waits some seconds for those who are in it: they are
    ended meanwhile. Whatever dies in between, the target is the one or the other, and open.
    """
    from psycopg import errors, sql

    renaming = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    number = number_of(admin, target)
    for attempt in range(_ATTEMPTS):
        try:
            with _emptied(admin, number), admin.transaction():
                admin.execute(renaming.format(sql.Identifier(target), sql.Identifier(old)))
                open_for_logins(admin, old, False)
                admin.execute(renaming.format(sql.Identifier(built), sql.Identifier(target)))
                open_for_logins(admin, target, True)
            return
        except errors.ObjectInUse:
            if attempt == _ATTEMPTS - 1:
                raise ConnectorError(
                    f"database {target} stayed in use: its sessions could not be ended "
                    "(ask for the role pg_signal_backend, or end them)"
                ) from None


@contextmanager
def _emptied(admin: psycopg.Connection[Any], number: int) -> Iterator[None]:
    """End the sessions in the database of this oid, again and again while the block runs."""
    import psycopg

    same: dict[str, Any] = {**admin.info.get_parameters(), "password": admin.info.password}
    stop = threading.Event()
    with closing(psycopg.connect(**same, autocommit=True)) as beside:

        def keep_ending() -> None:
            with suppress(psycopg.Error):  # whom it cannot end any more, the rename tells of
                while not stop.wait(_AGAIN_SECONDS):
                    _end_sessions(beside, number)

        _end_sessions(beside, number)
        thread = threading.Thread(target=keep_ending, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def open_for_logins(admin: psycopg.Connection[Any], name: str, open_: bool) -> None:
    """Whether anybody may connect to a database."""
    from psycopg import sql

    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    admin.execute(allow.format(sql.Identifier(name), sql.SQL("true" if open_ else "false")))


def _end_sessions(admin: psycopg.Connection[Any], number: int) -> None:
    """End the sessions in the database of this oid as far as this user may; those that stay show when it is renamed."""
    from psycopg import errors

    rows = admin.execute(
        "SELECT pid FROM pg_stat_activity WHERE datid = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        (number,),
    ).fetchall()
    for (pid,) in rows:
        try:
            admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
        except errors.InsufficientPrivilege:
            continue


def carry_over(admin: psycopg.Connection[Any], old: str, new: str) -> None:
    """The old database's settings, grants, limit of connections and owner, put on the new one."""
    from psycopg import sql

    name = sql.Identifier(new)
    row = admin.execute(
        "SELECT datconnlimit, datacl IS NULL, r.rolname, pg_has_role(datdba, 'MEMBER') "
        "FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = %s",
        (old,),
    ).fetchone()
    limit, plain, owner, may = row or (-1, True, "", False)
    if limit >= 0:
        admin.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(limit)))
    _carry_settings(admin, old, new)
    grants = admin.execute(
        "SELECT r.rolname, a.privilege_type, a.is_grantable FROM pg_database d, aclexplode(d.datacl) a "
        "LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = %s AND a.grantee IS DISTINCT FROM d.datdba",
        (old,),
    ).fetchall()
    if plain:
        admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(name))
    for role, privilege, grantable in grants:
        grantee = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        option = sql.SQL(" WITH GRANT OPTION" if grantable else "")
        grant = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(sql.SQL(privilege), name, grantee)
        admin.execute(grant + option)
    if may and owner:
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))


def _carry_settings(admin: psycopg.Connection[Any], old: str, new: str) -> None:
    from psycopg import sql

    settings = admin.execute(
        "SELECT r.rolname, unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = %s",
        (old,),
    ).fetchall()
    for role, setting in settings:
        name, _, value = setting.partition("=")
        subject = sql.SQL("DATABASE {}").format(sql.Identifier(new))
        if role:
            subject = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), sql.Identifier(new))
        with admin.transaction():
            # The stored text is set as it is: written as a literal, a list like search_path would become one name.
            admin.execute("SELECT set_config(%s, %s, true)", (name, value))
            parts = [sql.Identifier(part) for part in name.split(".")]
            admin.execute(sql.SQL("ALTER {} SET {} FROM CURRENT").format(subject, sql.SQL(".").join(parts)))
