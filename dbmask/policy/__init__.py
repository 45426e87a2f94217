"""Policies: the model, loading with file and line in every error, matching against a schema, the lock file."""

from __future__ import annotations

from dbmask.policy.model import ColumnRule, Default, GroupRule, Policy, Relation, TableMode, TableRule

__all__ = ["ColumnRule", "Default", "GroupRule", "Policy", "Relation", "TableMode", "TableRule"]
