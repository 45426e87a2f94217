"""Lists of words that come with the package, for ``seed_file: builtin:NAME``."""

from __future__ import annotations

__all__ = ["builtin_list", "builtin_names"]


def builtin_names() -> list[str]:
    """The names of all lists."""
    return []


def builtin_list(name: str) -> list[str] | None:
    """The entries of a list, or None where there is none of this name."""
    return None
