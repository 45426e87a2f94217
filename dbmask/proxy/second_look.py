"""A second look at what is sent on, by a parser that shares nothing with the first: what it sees must be on the lists too.

The first reads with PostgreSQL's own grammar and writes the text; this one (sqlglot) reads the text. Where it cannot, its
words are looked at one by one. Nothing is sent on that neither can account for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum, auto
from typing import Any

from dbmask.proxy.rewrite_catalog import Catalog, Name
from dbmask.proxy.trees import Refused

__all__ = ["SecondLook"]

_RELATIONS: Name = ("dbmask", "relations")
_BEFORE_NAMES = frozenset(("FROM", "JOIN", "ONLY"))
_NO_NAMES = frozenset(("SELECT", "LATERAL", "ROWS", "VALUES", "UNNEST", "TABLE", "ONLY"))


_SYNTAX = frozenset(
    (
        *("row", "grouping", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlparse", "xmlpi", "xmlroot"),
        *(
            "all",
            "any",
            "some",
            "array",
            "exists",
            "cube",
            "rollup",
            "xmlattributes",
            "xmlserialize",
            "xmltable",
            "json",
        ),
        *("json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg"),
        *("json_query", "json_scalar", "json_serialize", "json_table", "json_value", "treat", "overlay", "position"),
    )
)
"""What is written like a function and is none."""


class SecondLook:
    """Looks at generated SELECTs over one source. Not changed by use."""

    def __init__(self, catalog: Catalog) -> None:
        self.relations = catalog.views | catalog.shown.keys() | {_RELATIONS}
        self.functions = {name for _, name in catalog.functions}
        self.listed = catalog.functions
        self.present = catalog.present
        self.schemas = catalog.schemas
        self.columns = frozenset(c for r in catalog.relations.values() for c in r.columns)
        self._reader = _Reader()  # loads the parser, before clients wait for it

    def require(self, sql: str, ctes: Collection[str]) -> bool:
        """That ``sql``, a SELECT, names what is on the lists alone; raises Refused.

        ``ctes`` are the names that it defines itself. Whether the parser could read it as a whole.
        """
        trees = self._reader.trees(sql)
        if trees is None:
            self._words(sql, ctes)
            return False
        role, known = self._reader.role, self._reader.known
        for tree in trees:
            if role(type(tree)) is not _Role.SELECT:
                raise Refused("42501", "the statement does more than read")
            for node in tree.bfs():
                what = known.get(type(node)) or role(type(node))
                if what is _Role.OTHER:
                    continue
                if what is _Role.TABLE:
                    self._table(node, ctes)
                elif what is _Role.CALL:
                    self._function(_schema_of(node, self._reader), node.name)
                elif what is _Role.WRITES:
                    raise Refused("42501", "the statement does more than read")
        return True

    def _table(self, node: Any, ctes: Collection[str]) -> None:
        named = self._reader.role(type(node.this)) is _Role.NAME
        if named and (node.catalog or not self._relation(node.db, node.name, ctes)):
            raise Refused("42501", "the statement reads what is not on the list")

    def _relation(self, schema: str, name: str, ctes: Collection[str]) -> bool:
        return (schema, name) in self.relations if schema else name in ctes

    def _function(self, schema: str, name: str) -> None:
        known = (schema, name) in self.listed if schema else self._plain(name)
        if not known:
            raise Refused("42501", f"function {name} is not on the list of functions")

    def _plain(self, name: str) -> bool:
        return name in self.functions or name in self.columns or name.lower() in _SYNTAX

    def _words(self, sql: str, ctes: Collection[str]) -> None:
        """Every name after FROM and JOIN, every name with a schema, and every call, by words alone."""
        words = [*self._reader.words(sql), ("", False)]
        for i, (word, is_name) in enumerate(words[:-1]):
            before = words[i - 1][0].upper() if i else ""
            after = words[i + 1][0]
            if not is_name or before == ".":
                continue
            if after == "." and word in self.schemas:
                name, call = words[i + 2][0], words[i + 3][0] == "("
                if call:
                    self._function(word, name)
                elif (word, name) not in self.relations and (word, name) in self.present:
                    raise Refused("42501", "the statement reads what is not on the list")
            elif (
                before in _BEFORE_NAMES
                and after not in (".", "(")
                and word.upper() not in _NO_NAMES
                and word not in ctes
            ):
                self._no_relation(word)

    def _no_relation(self, word: str) -> None:
        # In EXTRACT(x FROM y) and the like it is an expression, and mostly no relation has its name.
        if any(name == word for _, name in self.present):
            raise Refused("42501", "the statement reads what is not on the list")


class _Role(Enum):
    """What a kind of node is to the second look."""

    SELECT = auto()
    TABLE = auto()
    CALL = auto()
    NAME = auto()
    DOT = auto()
    WRITES = auto()
    OTHER = auto()


class _Reader:
    """The other parser, loaded once. One thread's at a time."""

    def __init__(self) -> None:
        from sqlglot import ErrorLevel, exp
        from sqlglot.dialects.postgres import Postgres
        from sqlglot.errors import SqlglotError
        from sqlglot.tokenizer_core import TokenType

        dialect = Postgres()
        self._tokenizer, self._parser = dialect.tokenizer(), dialect.parser(error_level=ErrorLevel.RAISE)
        self._failures: tuple[type[Exception], ...] = (SqlglotError, RecursionError)
        self._command = exp.Command
        self._name = TokenType.IDENTIFIER
        self._literals = (TokenType.STRING, TokenType.NUMBER, TokenType.NATIONAL_STRING)
        # The first that fits: a SELECT is a query, and so DML as well.
        self._kinds: tuple[tuple[_Role, tuple[type, ...]], ...] = (
            (_Role.SELECT, (exp.Query, exp.Values)),
            (_Role.TABLE, (exp.Table,)),
            (_Role.CALL, (exp.Anonymous,)),
            (_Role.NAME, (exp.Identifier,)),
            (_Role.DOT, (exp.Dot,)),
            (_Role.WRITES, (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)),
        )
        self.known: dict[type, _Role] = {}

    def role(self, kind: type) -> _Role:
        """What nodes of a kind are."""
        found = self.known.get(kind)
        if found is None:
            found = next((role for role, kinds in self._kinds if issubclass(kind, kinds)), _Role.OTHER)
            self.known[kind] = found
        return found

    def trees(self, sql: str) -> list[Any] | None:
        """The trees of ``sql``, or None where it cannot be read, or a part is not read but kept as it is."""
        try:
            trees = self._parser.parse(self._tokenizer.tokenize(sql), sql)
        except self._failures:
            return None
        found = [tree for tree in trees if tree is not None]
        return None if any(isinstance(tree, self._command) for tree in found) else found

    def words(self, sql: str) -> Iterator[tuple[str, bool]]:
        """Each word, and whether it may be a name; raises Refused."""
        try:
            tokens = self._tokenizer.tokenize(sql)
        except self._failures:
            raise Refused("0A000", "this statement cannot be looked at") from None
        for token in tokens:
            is_literal = token.token_type in self._literals
            yield token.text, token.token_type is self._name or (not is_literal and token.text[:1].isidentifier())


def _schema_of(node: Any, reader: _Reader) -> str:
    parent = node.parent
    role = reader.role(type(parent))
    if role is _Role.DOT and parent.expression is node:
        return str(parent.this.name)
    return str(parent.db) if role is _Role.TABLE and parent.this is node else ""
