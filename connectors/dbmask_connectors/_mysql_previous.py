"""Replicas that were replaced and are kept: their tables in a database beside the target, what hangs on them as text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from dbmask.errors import ConnectorError, UsageError
from dbmask.spi import Previous
from dbmask_connectors import _mysql_swap as swap
from dbmask_connectors._kept import replaced_at, stamp_after
from dbmask_connectors._mysql_catalog import relations
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_source import exists

__all__ = ["kept_name", "previous", "prune", "recover", "roll_back"]


def _stamps(session: Session, target: str) -> dict[str, str]:
    _, pattern = swap.kept_pattern(target)
    matches = [pattern.match(name) for (name,) in session.run("SELECT schema_name FROM information_schema.schemata")]
    return {m[1]: m[0] for m in matches if m is not None}


def _is_full(session: Session, name: str) -> bool:
    """Whether tables were moved there, and not only written down what was to follow them."""
    return any("VIEW" not in kind and table not in swap.OWN for table, kind in relations(session, name))


def previous(session: Session, target: str) -> list[Previous]:
    """What is kept beside the target, the latest first. Raises ConnectorError."""
    stamps = sorted(_stamps(session, target).items(), reverse=True)
    return [Previous(name, replaced_at(stamp)) for stamp, name in stamps if _is_full(session, name)]


def recover(session: Session, target: str) -> None:
    """Make good what a swap left undone when its run was killed; only who holds the target's lock may. Raises ConnectorError.

    Where its tables have been moved, what belongs to them is made; where not, what was taken off the target is made again.
    """
    for name in _beside(session, target):
        if not _has(session, name, swap.COMING):
            continue
        if _is_full(session, name):  # they were not moved
            session.run(f"DROP TABLE {quoted(name, swap.COMING)}")
            continue
        if exists(session, target):
            session.run(f"USE {quoted(target)}")
            swap.install(session, target, swap.noted(session, name, swap.COMING))
        for other in _beside(session, target):  # what hung on the tables that were replaced, where there were none
            if other != name and not _is_full(session, other):
                swap.drop(session, other)
        swap.drop(session, name)
    for name in _beside(session, target):
        if not _is_full(session, name):
            if exists(session, target) and _has(session, name, swap.PROGRAMS):
                swap.give_back(session, target, name)
            swap.drop(session, name)


def _beside(session: Session, target: str) -> list[str]:
    """The databases that runs made beside the target, those that are kept among them."""
    return [*swap.leftovers(session, target), *_stamps(session, target).values()]


def _has(session: Session, database: str, table: str) -> bool:
    return any(name == table for name, _ in relations(session, database))


def kept_name(session: Session, target: str) -> str:
    """Where the tables that are about to be replaced go."""
    return swap.kept_pattern(target)[0] + stamp_after(_stamps(session, target))


def prune(session: Session, target: str, count: int) -> None:
    """Drop all but the latest ``count``; what cannot be dropped now is tried again after the next success."""
    for kept in previous(session, target)[count:]:
        with suppress(ConnectorError):
            swap.drop(session, kept.name)


def roll_back(session: Session, target: str, name: str, reconnect: Callable[[], Session]) -> None:
    """Exchange the target's tables and a kept database's; what hangs on them is made anew.

    Raises UsageError, and ConnectorError with all as it was.
    """
    swap.hold(session, target)
    recover(session, target)
    if name not in {kept.name for kept in previous(session, target)}:
        raise UsageError(f"{name} is no replica that was kept beside {target}")
    there = exists(session, target)
    if there and not (swap.is_marked(session, target) or swap.is_marked(session, name)):
        raise UsageError(f"neither {target} nor {name} was made by dbmask: it exchanges what it made itself")
    create = f"CREATE DATABASE {quoted(target)}"
    programs = list(reversed(swap.noted(session, name, swap.PROGRAMS)))
    swap.Swap(session, target, name, programs, create, kept_name(session, target)).run(reconnect, there)
