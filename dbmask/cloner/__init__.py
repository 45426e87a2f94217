"""Cloning a database into a masked replica."""

from __future__ import annotations

from dbmask.cloner.compare import verify_replica
from dbmask.cloner.in_place import apply
from dbmask.cloner.previous import previous_replicas, rollback
from dbmask.cloner.run import CloneResult, Options, clone

__all__ = ["CloneResult", "Options", "apply", "clone", "previous_replicas", "rollback", "verify_replica"]
