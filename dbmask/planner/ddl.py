"""Definitions as a Structure carries them: which object each makes, and which literals stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbmask.planner.telling import telling, words
from dbmask.schema import TableName, split_name

__all__ = ["literals", "objects"]

_LEXER = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?<![A-Za-z0-9_$])[Ee]'(?P<escaped>(?:[^'\\]|\\.|'')*)'
    | '(?P<text>(?:[^']|'')*)'
    | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_]\w*)?\$(?P<body>.*?)\$(?P=tag)\$
    | (?<![A-Za-z0-9_$])\$\$(?P<plain>.*?)\$\$
    | (?<![\w.$])(?P<number>-?[0-9]{5,})(?![\w.])
    """,
    re.X | re.S,
)
_MADE = re.compile(
    r"""\s*(?:CREATE(?:\s+(?:OR\s+REPLACE|UNIQUE|TEMP|TEMPORARY|VIRTUAL))*|COMMENT\s+ON|ALTER)
    \s+(?P<kind>TABLE|COLUMN|INDEX|VIEW|TRIGGER|MACRO|TYPE|SEQUENCE|FUNCTION|SCHEMA)\s+(?:IF\s+NOT\s+EXISTS\s+)?
    (?P<name>(?:"(?:[^"]|"")*"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")*"|[\w$]+))*)""",
    re.X | re.I,
)
_DEPTH = 4


def literals(sql: str, depth: int = _DEPTH) -> set[str]:
    """The texts and long numbers that a definition holds, in its strings, the bodies of its functions, and its remarks.

    >>> sorted(literals("CREATE FUNCTION f() AS $$ SELECT 'it''s', 12345 $$ COMMENT 'ask ann@shop.example'"))
    ['12345', 'ann@shop.example', 'ask ann@shop.example', "it's"]
    """
    found: set[str] = set()
    for match in _LEXER.finditer(sql):
        if match["number"] is not None:
            found.add(match["number"])
        elif match["comment"] is not None:
            found.update(w for w in words(match["comment"]) if telling(w))
        elif match["name"] is None:
            found |= _of_text(match, depth)
    return found


def _of_text(match: re.Match[str], depth: int) -> set[str]:
    body = match["body"] if match["body"] is not None else match["plain"]
    if body is None:
        raw = match["escaped"] if match["escaped"] is not None else match["text"]
        # MySQL reads backslashes where the others do not: a text is looked for in both readings.
        body = raw.replace("''", "'")
        found = {body, re.sub(r"\\(.)", r"\1", body)}
    else:
        found = {body.strip()}
    found.update(w for w in words(body) if telling(w))
    return found | (literals(body, depth - 1) if depth else set())


def objects(entry: str, dialect: str, default_schema: str) -> tuple[str, Iterator[str], str]:
    """How an entry's object is called, the names by which a policy may mean it, and the entry's SQL."""
    *head, sql = entry.split("\0", 3)
    if len(head) == 3 and dialect == "postgres":
        names = [
            (head[1] if head[1] not in ("", "-") else default_schema, n) for n in _postgres_names(head[0], head[2])
        ]
    elif len(head) == 3:
        names = [(default_schema, head[1])]
    else:
        names = _made(entry, default_schema)
    spelled = [str(TableName(schema, name)) for schema, name in names]
    also = [str(TableName("", name)) for schema, name in names if schema == default_schema]
    return (spelled[0] if spelled else "a setting"), iter([*spelled, *also]), sql


def _postgres_names(kind: str, name: str) -> list[str]:
    """pg_dump's name of an entry, and that of the object it hangs on: "t c" of a constraint, "COLUMN t.c" of a comment."""
    if kind == "COMMENT":
        name = re.sub(r"\A(?:[A-Z]+ )+", "", name)
        hangs = name.partition(".")[0] if "." in name else name.rpartition(" ON ")[2]
        return [hangs.strip('"'), name]
    if kind in (
        "DEFAULT",
        "CONSTRAINT",
        "CHECK CONSTRAINT",
        "FK CONSTRAINT",
        "TRIGGER",
        "RULE",
        "POLICY",
        "TABLE ATTACH",
    ):
        return [name.partition(" ")[0], name]
    return [name.partition("(")[0], name]


def _made(sql: str, default_schema: str) -> list[tuple[str, str]]:
    match = _MADE.match(sql)
    if match is None:
        return []
    try:
        parts = split_name(re.sub(r"\s*\.\s*", ".", match["name"]))
    except ValueError:
        return []
    if match["kind"].upper() == "COLUMN":
        parts = parts[:-1]
    return [(parts[-2] if len(parts) > 1 else default_schema, parts[-1])] if parts else []
