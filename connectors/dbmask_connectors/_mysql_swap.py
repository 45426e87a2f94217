"""Databases beside databases: made, marked, moved into place by one RENAME TABLE, dropped.

A replica is built in ``<target>__dbmask_<run>`` while its run holds the lock of its target (GET_LOCK), which ends with the
session: what is found under such a name by who holds the lock was left by a run that died.

RENAME TABLE takes all tables, foreign keys and sequences across at once. Triggers stand in its way: they are dropped before it
and the new ones are made right after it; for that moment, some milliseconds, the replica has none. Views, routines and events
stay where they are, over the new tables, until each is replaced.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from dbmask.errors import ConnectorError, UsageError
from dbmask_connectors._kept import STAMP
from dbmask_connectors._mysql_build import run_entry
from dbmask_connectors._mysql_catalog import LEDGER, MARKER, SYSTEM, relations
from dbmask_connectors._mysql_session import Session, literal, quoted
from dbmask_connectors._mysql_structure import Entry

__all__ = [
    "COMING",
    "OWN",
    "PROGRAMS",
    "Swap",
    "building_name",
    "check_target",
    "clear_leftovers",
    "drop",
    "end_sessions",
    "give_back",
    "hold",
    "install",
    "is_marked",
    "kept_pattern",
    "leftovers",
    "mark",
    "named",
    "note",
    "noted",
    "programs_of",
]

PROGRAMS = "dbmask_programs"
"""The table of a kept database that holds the definitions of its views, triggers, routines and events."""
COMING = "dbmask_coming"
"""The table of a database whose tables are about to be moved that holds the definitions of what is to follow them."""
OWN = frozenset({PROGRAMS, COMING, LEDGER})
"""Tables that do not move with a replica's."""
_COMMENT = "This database is a masked replica, made by dbmask"
_PART = "__dbmask_"
_MAX = 64
_UNDO_SECONDS = 600


def _short(target: str) -> str:
    room = _MAX - len(_PART) - 12 - len("_old")
    if len(target) <= room:
        return target
    return f"{target[: room - 9]}_{hashlib.sha256(target.encode()).hexdigest()[:8]}"


def building_name(target: str) -> str:
    """A fresh name beside ``target``; it leaves room for "_old"."""
    return f"{_short(target)}{_PART}{secrets.token_hex(6)}"


def hold(session: Session, target: str, patience: int = 0) -> None:
    """Take the target's lock for as long as the session lives. Raises ConnectorError where another run has it.

    ``patience`` (seconds) is for the session of a run that was killed: the server ends it when its statement has ended.
    """
    lock = "dbmask:" + hashlib.sha256(target.lower().encode()).hexdigest()[:40]
    if session.value("SELECT GET_LOCK(%s, %s)", (lock, patience)) != 1:
        raise ConnectorError(f"{session.where}: another run is building this replica, and still at work")


def end_sessions(session: Session, database: str) -> None:
    """End what dead runs' sessions still do in a database that only they can know; wait until it is undone."""
    deadline = time.monotonic() + _UNDO_SECONDS
    sql = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"
    while (found := session.run(sql, (database,))) and time.monotonic() < deadline:
        for (thread,) in found:
            with suppress(ConnectorError):  # it has ended by itself
                session.run(f"KILL CONNECTION {int(thread)}")
        time.sleep(0.05)


def leftovers(session: Session, target: str) -> list[str]:
    """The databases of runs that died, when the target's lock is held: those that were being built, and what they replaced."""
    ours = re.compile(re.escape(_short(target)) + _PART + r"[0-9a-f]{12}(_old)?\Z")
    return [name for (name,) in session.run("SELECT schema_name FROM information_schema.schemata") if ours.match(name)]


def clear_leftovers(session: Session, target: str, but: str = "") -> None:
    """Drop what dead runs left, ``but`` one; only who holds the target's lock may."""
    for name in leftovers(session, target):
        if name != but:
            end_sessions(session, name)
            drop(session, name)


def drop(session: Session, database: str) -> None:
    """Drop a database whatever refers to it. Raises ConnectorError."""
    session.run("SET SESSION foreign_key_checks = 0")
    session.run(f"DROP DATABASE IF EXISTS {quoted(database)}")
    session.run("SET SESSION foreign_key_checks = 1")


def kept_pattern(target: str) -> tuple[str, re.Pattern[str]]:
    """What the names of kept databases begin with, and what they look like, their stamp the first group."""
    start = f"{_short(target)}{_PART}was_"
    return start, re.compile(re.escape(start) + rf"({STAMP})\Z")


def mark(session: Session, database: str) -> None:
    """Write into a database who made it, and what was made."""
    table = quoted(database, MARKER)
    session.run(
        f"CREATE TABLE {table} (kind varchar(20) NOT NULL, name varchar(64) NOT NULL, PRIMARY KEY (kind, name)) "
        f"ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT={literal(_COMMENT)}"
    )
    for name, kind in relations(session, database):
        if name != LEDGER:
            session.run(f"INSERT INTO {table} VALUES (%s, %s)", (kind.lower(), name))  # noqa: S608 - a quoted name


def is_marked(session: Session, database: str) -> bool:
    """Whether dbmask made what is in a database."""
    sql = "SELECT table_comment FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return bool(session.value(sql, (database, MARKER)) == _COMMENT)


def check_target(session: Session, database: str, there: bool, overwrite: bool) -> None:
    """Raise UsageError unless the database is absent, empty, all dbmask's own, or may be overwritten."""
    if database.lower() in SYSTEM:
        raise UsageError(f"{database} is a database of the server's own")
    if overwrite or not there:
        return
    found = {name for name, _kind in relations(session, database)}
    found |= {e.name for e in programs_of(session, database)}
    if not found:
        return
    if not is_marked(session, database):
        raise UsageError(
            f"{session.where} is not empty and was not made by dbmask (say --overwrite to replace it with the replica)"
        )
    known = {name for (name,) in session.run(f"SELECT name FROM {quoted(database, MARKER)}")}  # noqa: S608
    added = sorted(name for name, _kind in relations(session, database) if name not in known)
    if added:
        raise UsageError(
            f"{session.where} was made by dbmask, but {added[0]} was added since; it would be lost "
            "(move it, or say --overwrite)"
        )


_SHOWN = {
    "trigger": ("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s", 2),
    "event": ("SELECT event_name FROM information_schema.events WHERE event_schema = %s", 3),
    "view": ("SELECT table_name FROM information_schema.views WHERE table_schema = %s", 1),
    "procedure": (
        "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s AND routine_type = 'PROCEDURE'",
        2,
    ),
    "function": (
        "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s AND routine_type = 'FUNCTION'",
        2,
    ),
}


def programs_of(session: Session, database: str) -> list[Entry]:
    """Triggers, events, views and routines of a database as they are, in an order in which they can be dropped."""
    found = []
    for kind, (sql, at) in _SHOWN.items():
        for (name,) in session.run(sql, (database,)):
            row = session.run(f"SHOW CREATE {kind.upper()} {quoted(database, name)}")[0]
            mode = f"sql_mode = {literal(str(row[1]))}" if kind != "view" else ""
            found.append(Entry(kind, name, mode, str(row[at] or "")))
    return found


def named(session: Session, database: str) -> set[tuple[str, str]]:
    """The kind and name of each trigger, event, view and routine of a database."""
    return {(kind, name) for kind, (sql, _) in _SHOWN.items() for (name,) in session.run(sql, (database,))}


def note(session: Session, database: str, table: str, programs: Sequence[Entry]) -> None:
    """Write definitions down in a table of a database. Raises ConnectorError."""
    name = quoted(database, table)
    session.run(f"DROP TABLE IF EXISTS {name}")
    session.run(
        f"CREATE TABLE {name} (at int NOT NULL PRIMARY KEY, kind varchar(20) NOT NULL, name varchar(64) NOT NULL, "
        "settings text NOT NULL, definition longtext NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
    for at, entry in enumerate(programs):
        values = (at, entry.kind, entry.name, entry.settings, entry.sql)
        session.run(f"INSERT INTO {name} VALUES (%s, %s, %s, %s, %s)", values)  # noqa: S608 - a quoted name


def noted(session: Session, database: str, table: str) -> list[Entry]:
    """What :func:`note` wrote down, in its order. Raises ConnectorError."""
    query = f"SELECT kind, name, settings, definition FROM {quoted(database, table)} ORDER BY at"  # noqa: S608
    return [Entry(*row) for row in session.run(query)]


def install(session: Session, target: str, programs: Sequence[Entry]) -> None:
    """Make the session's database ``target`` have these programs, and no others. Raises ConnectorError."""
    replaces = "mariadb" in str(session.variable("version")).lower()
    with _unchecked(session):
        made = (_over(e, session, replaces) for e in programs)
        _restore(session, sorted(made, key=lambda e: e.kind != "trigger"))
    wanted = {(e.kind, e.name) for e in programs}
    for kind, name in sorted(named(session, target) - wanted):
        session.run(f"DROP {kind.upper()} {quoted(target, name)}")


def _over(entry: Entry, session: Session, replaces: bool) -> Entry:
    """The entry in the place of one of its name: as one statement where the server can."""
    if entry.kind not in _SHOWN or entry.sql.upper().startswith("CREATE OR REPLACE "):
        return entry
    if entry.kind != "view" and not replaces:
        session.run(f"DROP {entry.kind.upper()} IF EXISTS {quoted(entry.name)}")
        return entry
    return replace(entry, sql=re.sub(r"\A\s*CREATE\s", "CREATE OR REPLACE ", entry.sql, count=1, flags=re.IGNORECASE))


@dataclass
class Swap:
    """Puts ``built`` in the place of ``target``; what was there goes to ``old``, and stays there if it is ``kept``.

    What no RENAME carries is written down on both sides before anything is dropped, so that the next run can make good
    what this one leaves undone when it is killed (:func:`dbmask_connectors._mysql_previous.recover`).
    """

    session: Session
    target: str
    built: str
    programs: Sequence[Entry]
    create: str
    kept: str = ""
    keys: Sequence[Entry] = ()
    """Foreign keys between what moves and what stays: RENAME takes their other ends along, so they are made again."""
    only: Collection[str] | None = None
    """The tables that move, where others stay."""
    _created: bool = False

    @property
    def old(self) -> str:
        """Where the previous replica's tables go."""
        return self.kept or f"{self.built}_old"

    def run(self, reconnect: Callable[[], Session], there: bool) -> None:
        """Swap, or leave all as it was. Raises ConnectorError; ``reconnect`` gives a session where this one is lost."""
        before = [*reversed(self.keys), *programs_of(self.session, self.target)] if there else []
        hidden = next((e for e in before if not e.sql), None)
        if hidden is not None:
            raise ConnectorError(
                f"{self.target}: the definition of {hidden.kind} {hidden.name} is hidden from this user"
            )
        try:
            self._swap(there, before)
        except BaseException:
            with suppress(ConnectorError):
                self._undo(reconnect(), there, before)
            raise
        keeps = self.kept and there and bool(self._moves(self.session, self.old, self.target))
        for name in (*(() if keeps else (self.old,)), self.built):  # what says that the swap has happened goes last
            with suppress(ConnectorError):  # the next run clears it
                drop(self.session, name)

    def _swap(self, there: bool, before: Sequence[Entry]) -> None:
        session = self.session
        if not there:
            session.run(self.create)
            self._created = True
        session.run(f"CREATE DATABASE {quoted(self.old)}")
        note(session, self.old, PROGRAMS, before)
        note(session, self.built, COMING, [*self.programs, *self.keys])
        for kind, name in named(session, self.built):
            if kind == "trigger":
                session.run(f"DROP TRIGGER {quoted(self.built, name)}")
        new = {name for name, kind in relations(session, self.built) if "VIEW" not in kind}
        session.run(f"USE {quoted(self.target)}")
        moves = self._moves(session, self.target, self.old) + self._moves(session, self.built, self.target)
        # From here till install() has made the new ones there are no triggers; all else is there, as it was or as it will be.
        for entry in before:
            if entry.kind == "trigger" or (entry.kind == "view" and entry.name in new):
                session.run(f"DROP {entry.kind.upper()} {quoted(self.target, entry.name)}")
        session.run(f"RENAME TABLE {', '.join(moves)}", where=f"{session.where}: RENAME TABLE")
        install(session, self.target, [*self.programs, *self.keys])

    def _moves(self, session: Session, source: str, to: str) -> list[str]:
        return [
            f"{quoted(source, name)} TO {quoted(to, name)}"
            for name, kind in relations(session, source)
            if "VIEW" not in kind and name not in OWN and (self.only is None or name in self.only)
        ]

    def _undo(self, session: Session, there: bool, before: Sequence[Entry]) -> None:
        """Back to what was: the tables where they were, then what hung on them.

        What was to follow stays written down till the tables are back: killed before, the next run goes forward instead.
        """
        back = self._moves(session, self.target, self.built)
        if back and (there or self._created) and not self._moves(session, self.built, self.target):
            for kind, name in sorted(named(session, self.target), reverse=True):  # triggers before what they call
                session.run(f"DROP {kind.upper()} {quoted(self.target, name)}")
            session.run(f"RENAME TABLE {', '.join(back + self._moves(session, self.old, self.target))}")
        session.run(f"DROP TABLE IF EXISTS {quoted(self.built, COMING)}")
        if not there:
            for name in [self.target] * self._created + [self.old]:
                drop(session, name)
            return
        _return(session, self.target, before)
        if not self._moves(session, self.old, self.target):
            drop(session, self.old)


def give_back(session: Session, target: str, old: str) -> None:
    """Make in ``target`` what was taken off it before a RENAME that was never run. Raises ConnectorError."""
    _return(session, target, noted(session, old, PROGRAMS))


def _return(session: Session, target: str, before: Sequence[Entry]) -> None:
    session.run(f"USE {quoted(target)}")
    present = named(session, target)
    with _unchecked(session):
        _restore(session, [e for e in reversed(before) if (e.kind, e.name) not in present])


@contextmanager
def _unchecked(session: Session) -> Iterator[None]:
    """Foreign keys are made over rows that have been checked: so no table is copied for them."""
    session.run("SET SESSION foreign_key_checks = 0")
    try:
        yield
    finally:
        session.run("SET SESSION foreign_key_checks = 1")


def _restore(session: Session, waiting: Sequence[Entry]) -> None:
    """Make what was dropped; a view may stand on one that comes later. Raises ConnectorError for what cannot be made."""
    while waiting:
        left: list[Entry] = []
        reason: ConnectorError | None = None
        for entry in waiting:
            try:
                run_entry(session, entry)
            except ConnectorError as error:
                reason = reason or error
                left.append(entry)
        if reason is not None and len(left) == len(waiting):
            raise reason
        waiting = left
