"""``dbmask.lock``: which columns each ``keep`` table had when keeping it was agreed to.

A column that appears later is drift, and is not copied until somebody accepts it. The file stands beside the policy
and belongs into version control with it; it holds names, never values. Policies that share a folder share the file,
each with an entry of its own, so that accepting one accepts nothing for another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from dbmask.atomic import write_named
from dbmask.errors import PolicyError, Problem
from dbmask.schema import TableName

__all__ = ["LOCK_NAME", "Lock"]

LOCK_NAME = "dbmask.lock"


@dataclass(frozen=True)
class Lock:
    """The recorded columns of one policy by table name as written (``schema.table``).

    ``path`` is the lock file, empty where there is none to write; ``policy`` is the policy's file name, ``digest`` that
    of its content when the columns were recorded.
    """

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""
    policy: str = ""
    digest: str = ""

    @classmethod
    def beside(cls, policy_path: str) -> Lock:
        """What the lock file in the policy's folder records of it. Raises PolicyError where the file cannot be read."""
        if not policy_path:
            return cls()
        place = Path(policy_path)
        path = place.parent / LOCK_NAME
        kept, digests = _read(path)
        tables = {name: tuple(columns) for name, columns in kept.get(place.name, {}).items()}
        return cls(tables, str(path), place.name, digests.get(place.name, ""))

    def columns(self, table: TableName) -> tuple[str, ...] | None:
        """The columns recorded for a table, or None where it is not recorded."""
        return self.tables.get(str(table))

    def accepting(self, kept: Mapping[TableName, Iterable[str]], digest: str = "") -> Lock:
        """A lock that records exactly these tables and columns, for a policy of this digest."""
        return replace(self, tables={str(n): tuple(sorted(c)) for n, c in kept.items()}, digest=digest)

    def recording(self, kept: Mapping[TableName, Iterable[str]], digest: str = "") -> Lock:
        """This lock, with tables added that it does not know yet; what it knows stays."""
        fresh = {str(n): tuple(sorted(c)) for n, c in kept.items() if str(n) not in self.tables}
        return replace(self, tables={**self.tables, **fresh}, digest=digest)

    def write(self) -> None:
        """Write the file, complete or not at all; what it records of other policies stays. Raises UsageError, PolicyError."""
        if not self.path:
            return
        kept, digests = _read(Path(self.path))
        kept[self.policy] = {name: list(columns) for name, columns in self.tables.items()}
        digests[self.policy] = self.digest
        data = {
            "version": 1,
            "keep": {p: {n: sorted(c) for n, c in sorted(t.items())} for p, t in sorted(kept.items())},
            "policies": dict(sorted(digests.items())),
        }
        write_named(Path(self.path), json.dumps(data, indent=2, ensure_ascii=False) + "\n")


_KEPT = TypeAdapter(dict[str, dict[str, list[str]]], config={"strict": True})
_DIGESTS = TypeAdapter(dict[str, str], config={"strict": True})


def _read(path: Path) -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """Recorded columns by policy and table, and digests by policy; empty where there is no file. Raises PolicyError."""
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["version"] != 1:
            raise ValueError("another version")
        return _KEPT.validate_python(data["keep"]), _DIGESTS.validate_python(data.get("policies", {}))
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        hint = "restore it from version control, or remove it and run `dbmask check --accept`"
        raise PolicyError([Problem(str(path), "cannot be read as a lock file", hint)]) from None
