"""Which columns a row trigger fills, and from which: read from its arguments or from its function's source."""

from __future__ import annotations

import re

__all__ = ["fills_and_reads"]

_FIELD = r'NEW\.("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
_ASSIGNED = re.compile(_FIELD + r"\s*:?=(?!=)", re.I)
_MENTIONED = re.compile(_FIELD, re.I)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_ARGUMENT = re.compile(r"'((?:[^']|'')*)'")


def fills_and_reads(definition: str, function: str, source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that the trigger sets, and columns that it reads, as far as can be seen.

    >>> fills_and_reads("", "f", "NEW.search := to_tsvector(NEW.name); IF NEW.x = 1 THEN")
    (('search',), ('name', 'x'))
    """
    if function in ("tsvector_update_trigger", "tsvector_update_trigger_column"):
        arguments = [a.replace("''", "'") for a in _ARGUMENT.findall(definition.rpartition("EXECUTE")[2])]
        return tuple(arguments[:1]), tuple(arguments[2:])
    code = _COMMENT.sub(" ", source)
    # In a condition, `NEW.x = 1` compares; an assignment begins its statement.
    starts = re.split(r";|\bTHEN\b|\bELSE\b|\bBEGIN\b|\bLOOP\b", code, flags=re.I)
    filled = [m[1] for part in starts if (m := _ASSIGNED.match(part.strip()))]
    filled += [m[1] for m in re.finditer(_FIELD + r"\s*:=", code, re.I)]
    names = dict.fromkeys(map(_name, filled))
    seen = dict.fromkeys(_name(m[1]) for m in _MENTIONED.finditer(code))
    return tuple(names), tuple(n for n in seen if n not in names)


def _name(written: str) -> str:
    """A name as the catalog has it: folded to lower case unless it is quoted."""
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()
