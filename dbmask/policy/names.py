"""Names as policies write them: exact ones quoted as in SQL, and patterns.

A pattern holds ``*`` or ``?`` outside quotes; ``[abc]`` in it stands for one of these letters, as in a shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import cache

from dbmask.schema import TableName

__all__ = ["bare", "check_table_name", "column_glob", "is_column_pattern", "is_pattern", "table_glob"]

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def _parts(text: str) -> list[tuple[str, bool]]:
    """The parts of a dotted name, each with whether it is quoted; see :func:`dbmask.schema.split_name`."""
    return [(m[1].replace('""', '"'), True) if m[1] is not None else (m[2], False) for m in _PART.finditer(text)]


def _wild(text: str) -> bool:
    return "*" in text or "?" in text


def check_table_name(text: str) -> None:
    """Raise ValueError where a text is neither ``table`` nor ``schema.table`` with parts quoted as in SQL."""
    TableName.parse(text)


def is_pattern(name: str) -> bool:
    """Whether a table's name is a pattern.

    >>> is_pattern("hr.*"), is_pattern('hr."*"')
    (True, False)
    """
    return any(_wild(text) and not quoted for text, quoted in _parts(name))


def is_column_pattern(name: str) -> bool:
    """Whether a column's name is a pattern; a column's name has no parts, so that dots need no quotes in it."""
    return _wild(name) and bare(name) == name


def bare(name: str) -> str:
    """A column's name without the quotes that a policy may put around it.

    >>> bare('"a""b"')
    'a"b'
    """
    return name[1:-1].replace('""', '"') if len(name) > 2 and name[0] == name[-1] == '"' else name


@cache
def column_glob(pattern: str) -> Callable[[str], object]:
    """What tells whether a column's name matches a pattern. Case counts."""
    return re.compile(translate(pattern)).match


def table_glob(pattern: str, default_schema: str) -> Callable[[TableName], bool]:
    """What tells whether a table matches a pattern; one without a schema stands for tables of the default one."""
    *above, last = [re.escape(t) + r"\Z" if quoted else translate(t) for t, quoted in _parts(pattern)]
    schema = re.compile(above[0] if above else re.escape(default_schema) + r"\Z")
    table = re.compile(last)
    return lambda name: bool(schema.match(name.schema) and table.match(name.name))
