"""``dbmask.lock``: which columns each ``keep`` table had when keeping it was agreed to.

A column that appears later is drift, and is not copied until somebody accepts it. Names only, never values. One file
serves every policy of its folder, each under its own file name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbmask.errors import PolicyError, Problem
from dbmask.schema import TableName

__all__ = ["LOCK_NAME", "Lock"]

LOCK_NAME = "dbmask.lock"


@dataclass(frozen=True)
class Lock:
    """The recorded columns of one policy by table name as written (``schema.table``).

    ``path`` is the lock file, empty where there is none to write; ``policy`` is the policy's file name.
    """

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""
    policy: str = ""

    @classmethod
    def beside(cls, policy_path: str) -> Lock:
        """What the lock file in the policy's folder records of it. Raises PolicyError where the file cannot be read."""
        if not policy_path:
            return cls()
        place = Path(policy_path)
        path = place.parent / LOCK_NAME
        return cls(_read(path).get(place.name, {}), str(path), place.name)

    def columns(self, table: TableName) -> tuple[str, ...] | None:
        """The columns recorded for a table, or None where it is not recorded."""
        return self.tables.get(str(table))

    def accepting(self, kept: Mapping[TableName, Iterable[str]]) -> Lock:
        """A lock that records exactly these tables and columns."""
        return replace(self, tables={str(n): tuple(sorted(c)) for n, c in kept.items()})

    def recording(self, kept: Mapping[TableName, Iterable[str]]) -> Lock:
        """This lock, with tables added that it does not know yet; what it knows stays."""
        fresh = {str(n): tuple(sorted(c)) for n, c in kept.items() if str(n) not in self.tables}
        return replace(self, tables={**self.tables, **fresh})

    def write(self) -> None:
        """Write the file, complete or not at all. Raises OSError."""
        if not self.path:
            return
        all_of = {**_read(Path(self.path)), self.policy: self.tables}
        keep = {p: {n: sorted(c) for n, c in sorted(tables.items())} for p, tables in sorted(all_of.items())}
        data = {"version": 1, "keep": keep}
        partial = Path(f"{self.path}.{os.getpid()}.tmp")
        try:
            partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")
            os.replace(partial, self.path)
        finally:
            partial.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """Recorded columns by policy and table; empty where there is no file."""
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text("utf-8"))["keep"]
        return {str(p): {str(n): tuple(map(str, c)) for n, c in tables.items()} for p, tables in kept.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        hint = "restore it from version control, or remove it and run `dbmask check --accept`"
        raise PolicyError([Problem(str(path), "cannot be read as a lock file", hint)]) from None
