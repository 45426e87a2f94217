"""Cloning a database into a masked replica."""

from __future__ import annotations

from dbmask.cloner.run import CloneResult, Options, clone

__all__ = ["CloneResult", "Options", "clone"]
