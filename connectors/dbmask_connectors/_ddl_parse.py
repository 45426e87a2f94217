"""Reading CREATE TABLE as SQLite and DuckDB show it: what their catalogs do not tell, and where each part stands.

To leave a column or a constraint out, the text is cut, never written anew, so that all the rest stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dbmask_connectors._tokens import Token, tokens_of

__all__ = ["Clause", "ColumnDef", "TableDef", "names_in", "parse_table", "quoted", "tokens", "unquote"]

_LETTER = "A-Za-z_\u0080-\U0010ffff"
_PARTS = rf"""(?P<space>\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))
    |(?P<literal>'(?:[^']|'')*'|[xX]'[0-9A-Fa-f]*'|\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d\w*)
    |(?P<quoted>"(?:[^"]|"")*"%s)
    |(?P<word>[{_LETTER}][{_LETTER}0-9$]*)
    |(?P<other>.)"""
_SQLITE = re.compile(_PARTS % r"|`(?:[^`]|``)*`|\[[^\]]*\]", re.S | re.X)
_DUCKDB = re.compile(_PARTS % "", re.S | re.X)


def tokens(sql: str, brackets: bool = True) -> Iterator[Token]:
    """The tokens of a statement without blanks and comments; parentheses have the depth that surrounds them.

    ``brackets``: whether [x] and `x` are quoted names, as in SQLite, or what they are in DuckDB (types and lists).
    """
    return tokens_of(_SQLITE if brackets else _DUCKDB, sql)


def quoted(name: str) -> str:
    """A name as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def unquote(text: str) -> str:
    """A name without its quotes, whichever of SQLite's four kinds they are."""
    if text[:1] in "\"`'" and text[:1]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text[1:-1] if text[:1] == "[" else text


def names_in(sql: str, columns: tuple[str, ...], brackets: bool = True) -> tuple[str, ...]:
    """Those of ``columns`` that an SQL text names, in the columns' order (as SQLite compares: ASCII letters fold)."""
    said = {unquote(t.text).lower() for t in tokens(sql, brackets) if t.kind in ("word", "quoted")}
    return tuple(c for c in columns if c.lower() in said)


@dataclass(frozen=True)
class Clause:
    """A constraint: its kind (upper case), name, and place; ``body`` is the text within its parentheses, where it has any."""

    kind: str
    start: int
    end: int
    name: str = ""
    body: str = ""
    columns: tuple[str, ...] = ()
    ref_table: str = ""
    deferrable: bool = False


@dataclass(frozen=True)
class ColumnDef:
    """A column definition: name, the place of its type, and its constraints."""

    name: str
    start: int
    end: int
    type_start: int
    type_end: int
    clauses: tuple[Clause, ...] = ()

    def clause(self, kind: str) -> Clause | None:
        """The first constraint of this kind, or None."""
        return next((c for c in self.clauses if c.kind == kind), None)


@dataclass(frozen=True)
class TableDef:
    """A CREATE TABLE statement in parts; ``options`` is what follows the closing parenthesis, in upper case."""

    sql: str
    columns: tuple[ColumnDef, ...]
    constraints: tuple[Clause, ...]
    options: str
    brackets: bool = True

    def column(self, name: str) -> ColumnDef | None:
        """The column of this name as SQLite compares names."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    @property
    def foreign_keys(self) -> list[tuple[Clause, tuple[str, ...]]]:
        """Foreign keys with their columns, in the order of the text."""
        found: list[tuple[Clause, tuple[str, ...]]]
        found = [(c, (col.name,)) for col in self.columns for c in col.clauses if c.kind == "REFERENCES"]
        found += [(c, c.columns) for c in self.constraints if c.kind == "FOREIGN"]
        return sorted(found, key=lambda pair: pair[0].start)

    @property
    def checks(self) -> list[Clause]:
        """CHECK constraints of columns and table, in the order of the text."""
        found = [c for col in self.columns for c in col.clauses if c.kind == "CHECK"]
        return sorted(found + [c for c in self.constraints if c.kind == "CHECK"], key=lambda c: c.start)


_TABLE_STARTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_STARTS = _TABLE_STARTS | {"NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS", "DEFERRABLE"}


def parse_table(sql: str, brackets: bool = True) -> TableDef | None:
    """Take a CREATE TABLE statement apart; None where it is not of the form that SQLite keeps."""
    all_tokens = list(tokens(sql, brackets))
    opening = next((i for i, t in enumerate(all_tokens) if t.text == "(" and t.depth == 0), None)
    if opening is None:
        return None
    closing = next((i for i in range(opening + 1, len(all_tokens)) if all_tokens[i].depth == 0), None)
    if closing is None or all_tokens[closing].text != ")":
        return None
    columns: list[ColumnDef] = []
    constraints: list[Clause] = []
    item: list[Token] = []
    for token in all_tokens[opening + 1 : closing + 1]:
        if token.depth == 0 or (token.depth == 1 and token.text == ","):
            if not item:
                return None
            if item[0].word in _TABLE_STARTS:
                constraints += _Clauses(sql, item, of_table=True).read()
            else:
                columns.append(_column(sql, item))
            item = []
        else:
            item.append(token)
    return TableDef(sql, tuple(columns), tuple(constraints), sql[all_tokens[closing].end :].upper(), brackets)


def _column(sql: str, item: list[Token]) -> ColumnDef:
    at = 1
    while at < len(item) and not (item[at].depth == 1 and item[at].word in _STARTS):
        at += 1
    type_end = item[at - 1].end
    type_start = item[1].start if at > 1 else type_end
    clauses = _Clauses(sql, item[at:], of_table=False).read()
    return ColumnDef(unquote(item[0].text), item[0].start, item[-1].end, type_start, type_end, tuple(clauses))


class _Clauses:
    """The constraints of one column, or a run of table constraints (SQLite wants no commas between them)."""

    def __init__(self, sql: str, item: list[Token], of_table: bool) -> None:
        self.sql, self.item, self.of_table, self.at = sql, item, of_table, 0

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.item[at].word or self.item[at].text if at < len(self.item) else ""

    def skip_parens(self) -> tuple[str, list[Token]]:
        """Step over a parenthesised part; its text and tokens without the parentheses."""
        if self.peek() != "(":
            return "", []
        opening = self.item[self.at]
        first = self.at + 1
        self.at = first
        while self.at < len(self.item) and self.item[self.at].depth > opening.depth:
            self.at += 1
        closing = self.item[min(self.at, len(self.item) - 1)]
        self.at += 1
        return self.sql[opening.end : closing.start].strip(), self.item[first : self.at - 1]

    def read(self) -> list[Clause]:
        found = []
        while self.at < len(self.item):
            found.append(self.clause())
        return found

    def clause(self) -> Clause:
        start, name = self.item[self.at].start, ""
        if self.peek() == "CONSTRAINT":
            name = unquote(self.item[self.at + 1].text) if self.at + 1 < len(self.item) else ""
            self.at += 2
        kind = self.peek()
        self.at += 1
        body, ref_table, deferrable = "", "", False
        columns: tuple[str, ...] = ()
        if kind == "FOREIGN":
            self.at += 1
            columns = _listed(self.skip_parens()[1])
            self.at += 1
        if kind in ("FOREIGN", "REFERENCES"):
            ref_table, deferrable = self.reference()
        elif kind == "DEFAULT":
            body = self.default()
        elif kind == "COLLATE":
            body = unquote(self.peek())
            self.at += 1
        else:
            if kind in ("NOT", "GENERATED"):
                self.at += 1 if kind == "NOT" else 2  # NULL; ALWAYS AS
            if self.peek() == "KEY":
                self.at += 1
            body, inside = self.skip_parens()
            columns = _listed(inside) if kind in ("PRIMARY", "UNIQUE") else ()
            while self.at < len(self.item) and not self.starts():
                self.at += 1  # ASC, AUTOINCREMENT, ON CONFLICT REPLACE, STORED ...
        end = self.item[min(self.at, len(self.item)) - 1].end
        return Clause(kind, start, end, name, body, columns, ref_table, deferrable)

    def starts(self) -> bool:
        token = self.item[self.at]
        return token.depth == 1 and token.word in (_TABLE_STARTS if self.of_table else _STARTS)

    def default(self) -> str:
        start = self.item[self.at].start
        if self.peek() == "(":
            self.skip_parens()
        else:
            self.at += 2 if self.peek() in ("+", "-") else 1
        return self.sql[start : self.item[self.at - 1].end]

    def reference(self) -> tuple[str, bool]:
        """Step over a REFERENCES clause from its table's name on: that name, and whether the check is deferred."""
        table = unquote(self.item[self.at].text)
        self.at += 1
        while self.peek() == ".":  # DuckDB says the schema, which is the referring table's
            table = unquote(self.item[self.at + 1].text)
            self.at += 2
        self.skip_parens()
        deferrable = False
        while True:
            word = self.peek()
            if word == "ON":
                self.at += 4 if self.peek(2) in ("SET", "NO") else 3
            elif word == "MATCH":
                self.at += 2
            elif word == "DEFERRABLE" or (word == "NOT" and self.peek(1) == "DEFERRABLE"):
                deferrable = word == "DEFERRABLE"
                self.at += 1 if deferrable else 2
                if self.peek() == "INITIALLY":
                    self.at += 2
            else:
                return table, deferrable


def _listed(inside: list[Token]) -> tuple[str, ...]:
    """The first name of each item of a column list; COLLATE, ASC and DESC are passed over."""
    names = []
    fresh = True
    for token in inside:
        if token.text == "," and token.kind == "other":
            fresh = True
        elif fresh:
            names.append(unquote(token.text))
            fresh = False
    return tuple(names)
