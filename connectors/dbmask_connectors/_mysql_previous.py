"""Replicas that were replaced and are kept: their tables in a database beside the target, what hangs on them as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from dbmask.errors import ConnectorError, UsageError
from dbmask.spi import Previous
from dbmask_connectors import _mysql_swap as swap
from dbmask_connectors._kept import replaced_at, stamp_after
from dbmask_connectors._mysql_catalog import relations
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_source import exists
from dbmask_connectors._mysql_structure import Entry

__all__ = ["keep", "kept_name", "previous", "prune", "recover", "roll_back"]


def _stamps(session: Session, target: str) -> dict[str, str]:
    _, pattern = swap.kept_pattern(target)
    matches = [pattern.match(name) for (name,) in session.run("SELECT schema_name FROM information_schema.schemata")]
    return {m[1]: m[0] for m in matches if m is not None}


def _is_full(session: Session, name: str) -> bool:
    """Whether tables were moved there, and not only written down what was to follow them."""
    return any(table != swap.PROGRAMS for table, _ in relations(session, name))


def previous(session: Session, target: str) -> list[Previous]:
    """What is kept beside the target, the latest first. Raises ConnectorError."""
    stamps = sorted(_stamps(session, target).items(), reverse=True)
    return [Previous(name, replaced_at(stamp)) for stamp, name in stamps if _is_full(session, name)]


def recover(session: Session, target: str) -> None:
    """Make again what a run took off the target before it died on the way to its RENAME; only who holds the target's lock may."""
    for name in _stamps(session, target).values():
        if _is_full(session, name):
            continue
        if exists(session, target) and any(table == swap.PROGRAMS for table, _ in relations(session, name)):
            session.run(f"USE {quoted(target)}")
            present = {(e.kind, e.name) for e in swap.programs_of(session, target)}
            swap.restore(session, [e for e in _programs(session, name) if (e.kind, e.name) not in present])
        swap.drop(session, name)


def kept_name(session: Session, target: str) -> str:
    """Where the tables that are about to be replaced go."""
    return swap.kept_pattern(target)[0] + stamp_after(_stamps(session, target))


def keep(session: Session, database: str, programs: Sequence[Entry]) -> None:
    """Write down, in the database where tables will be kept, what is dropped before they can be moved. Raises ConnectorError."""
    table = quoted(database, swap.PROGRAMS)
    session.run(
        f"CREATE TABLE {table} (at int NOT NULL PRIMARY KEY, kind varchar(20) NOT NULL, name varchar(64) NOT NULL, "
        "settings text NOT NULL, definition longtext NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
    for at, entry in enumerate(programs):
        values = (at, entry.kind, entry.name, entry.settings, entry.sql)
        session.run(f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s)", values)  # noqa: S608 - a quoted name


def _programs(session: Session, database: str) -> list[Entry]:
    """What :func:`keep` wrote down, in the order in which it can be made again."""
    query = f"SELECT kind, name, settings, definition FROM {quoted(database, swap.PROGRAMS)} ORDER BY at DESC"  # noqa: S608
    return [Entry(*row) for row in session.run(query)]


def prune(session: Session, target: str, count: int) -> None:
    """Drop all but the latest ``count``; what cannot be dropped now is tried again after the next success."""
    for kept in previous(session, target)[count:]:
        with suppress(ConnectorError):
            swap.drop(session, kept.name)


def roll_back(session: Session, target: str, name: str, reconnect: Callable[[], Session]) -> None:
    """Exchange the target's tables and a kept database's; what hangs on them is made anew. Raises ConnectorError, with all as it was."""
    swap.hold(session, target)
    recover(session, target)
    if name not in {kept.name for kept in previous(session, target)}:
        raise UsageError(f"{name} is no replica that was kept beside {target}")
    there = exists(session, target)
    if there and not (swap.is_marked(session, target) or swap.is_marked(session, name)):
        raise UsageError(f"neither {target} nor {name} was made by dbmask: it exchanges what it made itself")
    create = f"CREATE DATABASE {quoted(target)}"
    programs = _programs(session, name)
    swap.Swap(session, target, name, programs, create, kept_name(session, target), keep if there else None).run(
        reconnect, there
    )
