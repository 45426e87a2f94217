"""Policies against small schemas, and what comes of it."""

from __future__ import annotations

from dbmask.policy import Policy
from dbmask.policy.lock import Lock
from dbmask.policy.match import Resolution, resolve
from dbmask.schema import Schema
from tests.schemas import INT, column, fk, name, table

__all__ = ["ORDERS", "USERS", "masks", "match", "said"]

USERS = table("users", column("id", INT), column("email"), column("home_email"), key="id")
ORDERS = table("orders", column("id", INT), column("user_id", INT), key="id", keys=(fk("user_id", "users", "id"),))


def match(text: str, db: Schema, lock: Lock | None = None) -> Resolution:
    return resolve(Policy.from_text(f"version: 1\n{text}", "yaml", "p.yaml"), db, lock)


def masks(found: Resolution, table_name: str) -> dict[str, str | None]:
    return {n: c.mask.name if c.mask else None for n, c in found.tables[name(table_name)].columns.items()}


def said(found: Resolution) -> list[str]:
    return [str(p) for p in found.problems]
