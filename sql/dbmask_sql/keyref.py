"""A key inside a SQL tree: a placeholder that each target resolves to the way it holds keys.

A clone resolves it to a scalar subquery on a temporary table, an installed view to one on the owner's secrets
table, SQLite to the key's name (its registered functions hold the keys). No tree ever holds key material.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

__all__ = ["KEY_FUNCTION", "is_key_ref", "key_names", "key_ref", "resolve_keys"]

KEY_FUNCTION = "DBMASK_KEYREF"
INNER, OUTER, NAME = "inner", "outer", "name"


def key_ref(name: str, part: str) -> exp.Expression:
    """A reference to ``part`` ("inner" or "outer" pad, or "name") of the key called ``name``."""
    return exp.Anonymous(this=KEY_FUNCTION, expressions=[exp.Literal.string(name), exp.Literal.string(part)])


def is_key_ref(node: exp.Expression) -> bool:
    """Whether a node is a reference to a key."""
    return isinstance(node, exp.Anonymous) and node.this == KEY_FUNCTION


def _parts(node: exp.Expression) -> tuple[str, str]:
    name, part = node.args["expressions"]
    return name.this, part.this


def key_names(tree: exp.Expression) -> list[str]:
    """The names of the keys that ``tree`` refers to, each once, in order of appearance."""
    found = [_parts(node)[0] for node in tree.find_all(exp.Anonymous) if is_key_ref(node)]
    return list(dict.fromkeys(found))


def resolve_keys(tree: exp.Expression, resolver: Callable[[str, str], exp.Expression]) -> exp.Expression:
    """A copy of ``tree`` with each key reference replaced by ``resolver(name, part)``."""

    def swap(node: exp.Expression) -> exp.Expression:
        return resolver(*_parts(node)) if is_key_ref(node) else node

    return tree.copy().transform(swap, copy=False)
