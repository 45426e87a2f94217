"""What a subset is to be: shares and numbers of rows, by table, from the policy and from the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import nearest
from dbmask.policy.model import Policy
from dbmask.policy.names import check_table_name, is_pattern, table_glob
from dbmask.schema import Schema, TableName

__all__ = ["Subset", "parse_share", "subset_of"]

_KEYS = ("share", "tables", "whole")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%\Z")


def parse_share(given: Any) -> Fraction:
    """A share from ``5%``, or from a number between 0 and 1. Raises ValueError."""
    found = _SHARE.match(given.strip()) if isinstance(given, str) else None
    if found:
        share = Fraction(found[1]) / 100
    elif isinstance(given, int | float) and not isinstance(given, bool):
        share = Fraction(str(given))
    else:
        raise ValueError("a share is written 5%, or as a number between 0 and 1")
    if not 0 <= share <= 1:
        raise ValueError("a share is between 0% and 100%")
    return share


@dataclass(frozen=True)
class Subset:
    """Which rows tables contribute of themselves; what those refer to comes besides.

    ``share`` is every table's that follows no other, None where all of its rows are wanted; ``shares`` are those of
    single tables, which follow nothing then; ``whole`` tables contribute every row. ``most`` bounds the number of rows.
    """

    share: Fraction | None = None
    shares: Mapping[TableName, Fraction] = field(default_factory=dict)
    whole: frozenset[TableName] = frozenset()
    most: Mapping[TableName, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.share is not None or bool(self.shares) or bool(self.most)


def subset_of(policy: Policy, schema: Schema, share: str | None = None, max_rows: int | None = None) -> Subset:
    """The policy's subset of a schema; ``share`` and ``max_rows`` are the command line's and come before the policy's ``share``.

    A table's own ``max_rows:`` comes before the command line's. Raises PolicyError with everything that is wrong.
    """
    problems: list[Problem] = []
    given = policy.sections.get("subset")
    body = given if isinstance(given, dict) else {"share": given} if given is not None else {}
    place = f"{policy.path}: subset" if policy.path else "subset"
    problems += [Problem(place, f"unknown key {key!r}", nearest(str(key), _KEYS)) for key in body if key not in _KEYS]
    wanted = share if share is not None else body.get("share")
    common = None if wanted is None else _share(wanted, place if share is None else "--subset", problems)
    shares: dict[TableName, Fraction] = {}
    listed = body.get("tables") or {}
    if not isinstance(listed, dict):
        problems.append(Problem(place, "`tables:` is a mapping of table to share"))
        listed = {}
    for name, one in listed.items():
        made = _share(one, f"{place}: {name}", problems)
        shares |= dict.fromkeys(_named(name, schema, place, problems), made or Fraction(0))
    names = body.get("whole") or []
    if not isinstance(names, list):
        problems.append(Problem(place, "`whole:` is a list of tables"))
        names = []
    whole = frozenset(t for name in names for t in _named(name, schema, place, problems))
    most = {n: max_rows for n in schema.tables} if max_rows is not None else {}
    for rule in sorted(policy.tables, key=lambda r: not is_pattern(r.name)):  # the exact name wins
        if "max_rows" in rule.options:
            own = [n for n in schema.tables if _matcher(rule.name, schema)(n)]
            most |= dict.fromkeys(own, int(rule.options["max_rows"]))
    if problems:
        raise PolicyError(problems)
    return Subset(common, shares, whole, most)


def _share(given: Any, place: str, problems: list[Problem]) -> Fraction | None:
    try:
        return parse_share(given)
    except ValueError as error:
        problems.append(Problem(place, str(error)))
        return None


def _matcher(name: str, schema: Schema) -> Callable[[TableName], bool]:
    check_table_name(name)
    if is_pattern(name):
        return table_glob(name, schema.default_schema)
    return TableName.parse(name, schema.default_schema).__eq__


def _named(name: Any, schema: Schema, place: str, problems: list[Problem]) -> list[TableName]:
    """The tables that a name or pattern names."""
    try:
        matches = _matcher(str(name), schema)
    except ValueError as error:
        problems.append(Problem(place, f"table name {name!r}: {error}"))
        return []
    found = [n for n in schema.tables if matches(n)]
    if not found:
        problems.append(
            Problem(place, f"there is no table {name}", nearest(str(name), [str(n) for n in schema.tables]))
        )
    return found
