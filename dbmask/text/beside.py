"""What stands beside a text: a column of its row, or a place in a column that holds a JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dbmask.errors import BindError
from dbmask.masks._jsonpath import JsonPath
from dbmask.masks.base import Columns
from dbmask.schema import Kind
from dbmask_sql.canonical import canonical_text

__all__ = ["Beside", "beside"]


@dataclass(frozen=True)
class Beside:
    """The column that is read, and the texts that a value of it holds; none of them null."""

    column: str
    texts: Callable[[Any], Sequence[str]]


def beside(name: str, columns: Columns, parameter: str) -> Beside:
    """What ``name`` means: a column, or ``column.path`` (``$.column.path`` too) into a column of JSON documents.

    Raises BindError where it is the text itself, or is not there.
    """
    if name == columns.target.name:
        raise BindError(f"{parameter} names the text's own column")
    head, dot, rest = name.removeprefix("$.").partition(".")
    if name not in columns.available and dot and columns.available.get(head) is not None:
        column = columns.available[head]
        if head == columns.target.name or column.type.kind not in (Kind.JSON, Kind.TEXT):
            raise BindError(f"{parameter} names a place in {head}, which holds no JSON documents")
        try:
            path = JsonPath.parse(f"$.{rest}")
        except ValueError as error:
            raise BindError(f"{parameter}: {error}") from None
        return Beside(head, lambda value: _at(path, value))
    column = columns.other(name, parameter)
    text = canonical_text(column.type.kind, column.type.padded)
    return Beside(name, lambda value: (text(value),))


def _at(path: JsonPath, value: Any) -> list[str]:
    """The texts and numbers at a path. Raises ValueError for what is no JSON, with which the search of that text fails."""
    if isinstance(value, str | bytes):
        value = json.loads(value, parse_int=str, parse_float=str)
    found = [container[key] for container, key in path.find([value])]
    return [str(one) for one in found if one is not None and not isinstance(one, dict | list | bool)]
