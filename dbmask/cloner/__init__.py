"""Cloning a database into a masked replica."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.lazy import loader

if TYPE_CHECKING:
    from dbmask.cloner.compare import verify_replica
    from dbmask.cloner.in_place import apply
    from dbmask.cloner.previous import previous_replicas, rollback
    from dbmask.cloner.run import CloneResult, Options, clone

__all__ = ["CloneResult", "Options", "apply", "clone", "previous_replicas", "rollback", "verify_replica"]

_WHERE = {
    "CloneResult": "dbmask.cloner.run",
    "Options": "dbmask.cloner.run",
    "apply": "dbmask.cloner.in_place",
    "clone": "dbmask.cloner.run",
    "previous_replicas": "dbmask.cloner.previous",
    "rollback": "dbmask.cloner.previous",
    "verify_replica": "dbmask.cloner.compare",
}

__getattr__ = loader(__name__, _WHERE)
