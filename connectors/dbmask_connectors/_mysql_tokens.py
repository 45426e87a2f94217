"""The words of MySQL's SQL: enough to tell names from literals, and to find which tables and columns a text names."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from dbmask_connectors._tokens import Token, tokens_of

__all__ = ["Chain", "chains", "columns_in", "neutral", "tokens", "unquote"]

_TOKEN = re.compile(
    r"""(?P<space>\s+|--(?=\s|\Z)[^\n]*(?:\n|\Z)|\#[^\n]*(?:\n|\Z)|/\*(?!M?!).*?\*/|/\*M?!\d*|\*/)
    |(?P<literal>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w$]))
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<variable>@@?(?:[\w$.]+|`(?:[^`]|``)*`|'[^']*'|"[^"]*")?)
    |(?P<word>[\w$\u0080-\uffff]+)
    |(?P<other>.)""",
    re.S | re.X,
)


def tokens(sql: str) -> Iterator[Token]:
    """The tokens of a statement without blanks and comments; what stands in /*! ... */ is part of it."""
    return tokens_of(_TOKEN, sql)


def unquote(text: str) -> str:
    """A name without its quotes."""
    return text[1:-1].replace("``", "`") if text[:1] == "`" else text


class Chain(NamedTuple):
    """Names joined by dots, ``a``.``b``.``c``: the names, their tokens, and whether an opening parenthesis follows."""

    names: tuple[str, ...]
    parts: tuple[Token, ...]
    called: bool


def chains(sql: str) -> Iterator[Chain]:
    """Every name of a text, with what qualifies it."""
    found = list(tokens(sql))
    at = 0
    while at < len(found):
        if not found[at].is_name:
            at += 1
            continue
        parts = [found[at]]
        at += 1
        while at + 1 < len(found) and found[at].text == "." and found[at + 1].is_name:
            parts.append(found[at + 1])
            at += 2
        called = at < len(found) and found[at].text == "("
        yield Chain(tuple(unquote(p.text) for p in parts), tuple(parts), called)


def columns_in(sql: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Those of ``columns`` that a text names, in the columns' order (names of columns have no case in MySQL)."""
    said = {chain.names[-1].lower() for chain in chains(sql)}
    return tuple(c for c in columns if c.lower() in said)


def neutral(sql: str, database: str, objects: Container[str], folds: bool = False) -> str:
    """The text with its own database's name taken off tables, views and routines, so that it means them wherever it stands.

    ``objects`` are the names of the database's relations and routines: what else stands behind a dot is a column.
    ``folds`` says that the server's names have no case; then the names given are in lower case.
    """
    made, at = "", 0
    for chain in chains(sql):
        names = tuple(n.lower() for n in chain.names) if folds else chain.names
        if len(names) > 1 and names[0] == database and (len(names) == 3 or names[1] in objects):
            made += sql[at : chain.parts[0].start]
            at = chain.parts[1].start
    return made + sql[at:]
