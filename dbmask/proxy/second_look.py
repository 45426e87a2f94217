"""A second look at what is sent on, by a parser that shares nothing with the first: what it sees must be on the lists too.

The first reads with PostgreSQL's own grammar and writes the text; this one (sqlglot) reads the text. Where it cannot, its
words are looked at one by one. Nothing is sent on that neither can account for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from dbmask.proxy.rewrite_catalog import Catalog, Name
from dbmask.proxy.trees import Refused

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

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
        _parsed("SELECT 1")  # loads the parser, before clients wait for it
        self.columns = frozenset(c for r in catalog.relations.values() for c in r.columns)

    def require(self, sql: str, ctes: Collection[str]) -> bool:
        """That ``sql``, a SELECT, names what is on the lists alone; raises Refused.

        ``ctes`` are the names that it defines itself. Whether the parser could read it as a whole.
        """
        from sqlglot import exp
        from sqlglot.errors import SqlglotError

        try:
            trees = _parsed(sql)
        except (SqlglotError, RecursionError):
            trees = None
        if trees is None:
            self._words(sql, ctes)
            return False
        for tree in trees:
            if not isinstance(tree, (exp.Query, exp.Values)):
                raise Refused("42501", "the statement does more than read")
            for node in tree.walk():
                self._node(node, ctes)
        return True

    def _node(self, node: Any, ctes: Collection[str]) -> None:
        from sqlglot import exp

        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            if not self._relation(node.db, node.name, ctes) or node.catalog:
                raise Refused("42501", "the statement reads what is not on the list")
        elif isinstance(node, exp.Anonymous):
            self._function(_schema_of(node), node.name)
        elif isinstance(node, (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)) and not isinstance(node, exp.Query):
            raise Refused("42501", "the statement does more than read")

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
        words = [*_tokens(sql), ("", False)]
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


def _parsed(sql: str) -> list[Any] | None:
    """The trees of ``sql``, or None where a part is not read but kept as it is."""
    import sqlglot
    from sqlglot import ErrorLevel, exp

    trees = [tree for tree in sqlglot.parse(sql, read="postgres", error_level=ErrorLevel.RAISE) if tree is not None]
    return None if any(isinstance(tree, exp.Command) for tree in trees) else trees


def _schema_of(node: Any) -> str:
    from sqlglot import exp

    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        return str(parent.this.name)
    if isinstance(parent, exp.Table) and parent.this is node:
        return str(parent.db)
    return ""


def _tokens(sql: str) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it may be a name."""
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.errors import SqlglotError
    from sqlglot.tokenizer_core import TokenType

    try:
        tokens: list[Token] = Postgres().tokenize(sql)
    except SqlglotError:
        raise Refused("0A000", "this statement cannot be looked at") from None
    for token in tokens:
        quoted = token.token_type is TokenType.IDENTIFIER
        is_literal = token.token_type in (TokenType.STRING, TokenType.NUMBER, TokenType.NATIONAL_STRING)
        yield token.text, quoted or (not is_literal and token.text[:1].isidentifier())
