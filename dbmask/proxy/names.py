"""Names of what is installed."""

from __future__ import annotations

import hashlib

__all__ = ["masked_schema", "short_name"]

_MAX = 63


def short_name(*parts: str) -> str:
    """Parts joined by underscores; where they are longer than an identifier may be, cut and told apart by a digest.

    >>> short_name("dbmask", "analyst", "public")
    'dbmask_analyst_public'
    """
    name = "_".join(parts)
    if len(name.encode()) <= _MAX:
        return name
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    return f"{name.encode()[: _MAX - 11].decode('utf-8', 'ignore')}_{digest}"


def masked_schema(role: str, schema: str) -> str:
    """The schema of a role's masked views of one source schema."""
    return short_name("dbmask", role, schema)
