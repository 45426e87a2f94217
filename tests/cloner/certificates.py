"""A certificate's plain data, for tests of what signs and shows it."""

from __future__ import annotations

from typing import Any

from dbmask.cloner.certificate import Certificate, Check

__all__ = ["certificate", "document"]


def certificate(**changes: Any) -> Certificate:
    """A certificate of a small clone that passed."""
    columns = [
        {"column": "id", "mask": "keep", "runs_in": "sql", "keyed": False},
        {"column": "mail", "mask": "hash", "runs_in": "sql", "keyed": True},
        {"column": "n<b>", "mask": "text", "runs_in": "python", "keyed": False},
    ]
    facts: dict[str, Any] = {
        "started": "2024-01-01T00:00:00+00:00",
        "finished": "2024-01-01T00:00:09+00:00",
        "source": "file:1:2",
        "target": "file:1:3",
        "snapshot": "0/16B3748",
        "policy": "p.yaml",
        "policy_digest": "ab" * 32,
        "epoch": "",
        "key_fingerprint": "0123456789abcdef",
        "tables": [
            {"table": "main.person", "mode": "mask", "rows": 500, "seconds": 0.125, "columns": columns},
            {"table": "main.log", "mode": "empty", "rows": 0, "seconds": 0.0, "columns": []},
        ],
        "checks": [
            Check("rows", "main.person", True, "500 rows", {"source": 500, "replica": 500}),
            Check("unchanged", "main.person.mail", True, "0.0% of 450", {"equal": 0, "seen": 450, "allowed": 0.0}),
        ],
        "not_looked_at": ["main.log: has no primary key"],
        "left_out": ["owners"],
    }
    return Certificate(**{**facts, **changes})


def document(**changes: Any) -> dict[str, Any]:
    """The same as plain data."""
    return certificate(**changes).as_dict()
