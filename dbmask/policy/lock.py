"""``dbmask.lock``: which columns each ``keep`` table had when keeping it was agreed to.

A column that appears later is drift, and is not copied until somebody accepts it. Names only, never values.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dbmask.errors import PolicyError, Problem
from dbmask.schema import TableName

__all__ = ["LOCK_NAME", "Lock"]

LOCK_NAME = "dbmask.lock"


@dataclass(frozen=True)
class Lock:
    """The recorded columns by table name as written (``schema.table``); ``path`` is empty where there is no file to write."""

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def beside(cls, policy_path: str) -> Lock:
        """The lock file in the policy's folder, empty where there is none. Raises PolicyError where it cannot be read."""
        if not policy_path:
            return cls()
        path = Path(policy_path).parent / LOCK_NAME
        if not path.exists():
            return cls(path=str(path))
        try:
            data = json.loads(path.read_text("utf-8"))
            tables = {str(name): tuple(map(str, columns)) for name, columns in data["keep"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            hint = "restore it from version control, or remove it and run `dbmask check --accept`"
            raise PolicyError([Problem(str(path), "cannot be read as a lock file", hint)]) from None
        return cls(tables, str(path))

    def columns(self, table: TableName) -> tuple[str, ...] | None:
        """The columns recorded for a table, or None where it is not recorded."""
        return self.tables.get(str(table))

    def accepting(self, kept: Mapping[TableName, Iterable[str]]) -> Lock:
        """A lock that records exactly these tables and columns."""
        return Lock({str(n): tuple(sorted(c)) for n, c in kept.items()}, self.path)

    def recording(self, kept: Mapping[TableName, Iterable[str]]) -> Lock:
        """This lock, with tables added that it does not know yet; what it knows stays."""
        fresh = {str(n): tuple(sorted(c)) for n, c in kept.items() if str(n) not in self.tables}
        return Lock({**self.tables, **fresh}, self.path)

    def write(self) -> None:
        """Write the file, complete or not at all. Raises OSError."""
        if not self.path:
            return
        data = {"version": 1, "keep": {n: sorted(c) for n, c in sorted(self.tables.items())}}
        partial = Path(f"{self.path}.{os.getpid()}.tmp")
        try:
            partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")
            os.replace(partial, self.path)
        finally:
            partial.unlink(missing_ok=True)
