"""What a policy says, after loading: frozen data in which every mask is built and every place is known.

Names are exact; patterns are kept apart and resolved against a schema by :mod:`dbmask.policy.match`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from dbmask.errors import Problem
from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Mask
from dbmask.schema import TableName

__all__ = ["KEY_SOURCES", "ColumnRule", "Default", "GroupRule", "Policy", "Relation", "TableMode", "TableRule"]

KEY_SOURCES = ("env", "file", "exec")
"""Where a policy's key may come from; what stands behind the colon is its name there."""


class TableMode(StrEnum):
    """What happens to a whole table."""

    MASK = "mask"
    KEEP = "keep"
    EMPTY = "empty"
    SKIP = "skip"


class Default(StrEnum):
    """What happens to tables and columns that no rule names."""

    DENY = "deny"
    KEEP = "keep"


@dataclass(frozen=True)
class ColumnRule:
    """A column's mask; ``where`` is file:line of the rule; ``name`` is a pattern where it holds ``*`` or ``?``."""

    name: str
    mask: Mask
    where: str = ""


@dataclass(frozen=True)
class GroupRule:
    """A mask over several columns of a table at once (``anonymizer:``)."""

    mask: Mask
    where: str = ""


@dataclass(frozen=True)
class TableRule:
    """What a policy says of a table, or of the tables that a pattern names."""

    name: str
    mode: TableMode = TableMode.MASK
    columns: tuple[ColumnRule, ...] = ()
    groups: tuple[GroupRule, ...] = ()
    filter: str | None = None
    where: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """A foreign key that the database does not know: each column of ``columns`` refers to its fellow of ``ref_columns``."""

    table: TableName
    columns: tuple[str, ...]
    ref_table: TableName
    ref_columns: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True)
class Policy:
    """One policy file with everything that it includes.

    ``key`` names where the key comes from; ``tables`` are rules in file order, exact names and patterns alike;
    ``sections`` holds what other jobs read (``jobs``, ``subset``, ``allow_ddl`` ...), as plain data. ``notes`` are what
    was odd in the file and no fault; every plan warns of it.
    """

    version: int = 1
    key: str | None = None
    epoch: str = ""
    default: Default = Default.DENY
    tables: tuple[TableRule, ...] = ()
    relations: tuple[Relation, ...] = ()
    sections: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    digest: str = ""
    notes: tuple[Problem, ...] = ()

    @staticmethod
    def load(path: str | Path) -> Policy:
        """Load a policy file (YAML, JSON or TOML). Raises PolicyError with every problem, each with file and line."""
        from dbmask.policy.load import load_policy

        return load_policy(path)

    @staticmethod
    def from_text(text: str, form: str = "yaml", path: str = "") -> Policy:
        """Load a policy from text. Raises PolicyError."""
        from dbmask.policy.load import policy_from_text

        return policy_from_text(text, form, path)

    @staticmethod
    def from_dict(data: Mapping[str, Any], path: str = "") -> Policy:
        """Load a policy from plain data. Raises PolicyError."""
        from dbmask.policy.load import policy_from_dict

        return policy_from_dict(data, path)

    def keyring(self, key_file: str | None = None, environ: Mapping[str, str] | None = None) -> KeyRing:
        """The keys of this policy: from ``key_file``, else DBMASK_KEY, else the policy's ``key``; none where none is named.

        A file that the policy names is looked for in the policy's folder, one of the command line where that was given.
        Raises KeySourceError where the key that is named cannot be used.
        """
        named = os.environ if environ is None else environ
        if key_file is not None:
            master = MasterKey.load(f"file:{key_file}")
        elif "DBMASK_KEY" in named:
            master = MasterKey.load("env:DBMASK_KEY", named)
        elif self.key is not None:
            source, _, rest = self.key.partition(":")
            relative = source == "file" and self.path and not rest.startswith("~")
            master = MasterKey.load(f"file:{Path(self.path).parent / rest}" if relative else self.key, named)
        else:
            return KeyRing(None, self.epoch)
        return KeyRing(master, self.epoch)
