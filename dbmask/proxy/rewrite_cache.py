"""Rewrites that are found again: by the statement's text, then by its shape, which is the text without literals.

A shape stands for many statements only as far as nothing in the rewriter may look at the literals that differ: operands
of comparisons and limits. All other literals (arguments of functions, casts, intervals ...) are part of the key. What is
sent on is the rewrite of a statement with random marks in the place of literals, and literals put where the marks came
out; a literal that is put there is digits, or a quoted string without backslash, so it ends where it begins to end.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbmask.proxy.metrics import Counters
from dbmask.proxy.rewrite import Refused, Rewriter, Rewritten
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.trees import fingerprint, parsed

__all__ = ["CachedRewriter"]

_TEXTS, _SHAPES = 4096, 2048
_LONG = 16_384
"""Longer statements are rewritten each time: memory is bounded by entries times this."""
# It begins with a set of characters, so that the search runs over all others; what stands before is asked afterwards.
# Digits are ASCII's: others are letters to PostgreSQL.
_LITERAL = re.compile(
    r"""["'0-9](?:(?<=")((?:[^"]|"")*")"""
    r"""|(?<=[0-9])(?<![\w$.'&][0-9])(?:([0-9]{0,8})(?![\w.'])|([0-9]{0,8}\.[0-9]{1,9})(?![\w.']))"""
    r"""|(?<=')(?<![\w'&$]')((?:[^'\\]|'')*')(?!'))"""
)
_READS = re.compile(r"\s*(?:select|with|values|table)\b", re.IGNORECASE)
_DOLLAR = re.compile(r"\$(?![0-9])")
_CONTINUED = re.compile(r"\0s\s*\0s")
_HOLE = {2: "\0n", 3: "\0f", 4: "\0s"}
_OPERANDS = frozenset(("lexpr", "rexpr"))

Names = tuple[str, ...]
Place = tuple[Names, str, Names | None]
"""What a rewrite depends on beside the text: search path, user, usual search path."""


@dataclass(frozen=True)
class _Plan:
    """What came of a shape: text around the holes, which literal goes into each, and the rewrite's other parts."""

    parts: Names
    order: tuple[int, ...]
    done: Rewritten

    def filled(self, literals: Sequence[str]) -> Rewritten:
        """The rewrite with these literals."""
        out = [self.parts[0]]
        for at, rest in zip(self.order, self.parts[1:], strict=True):
            out += (literals[at], rest)
        done = self.done
        return Rewritten("".join(out), done.moves, done.tables, done.names, done.masked, done.fingerprint)


class CachedRewriter:
    """A rewriter that remembers, for one state of the catalog; a new state is a new object."""

    def __init__(self, catalog: Catalog, counters: Counters, audited: bool = False) -> None:
        self.catalog, self.counters, self.audited = catalog, counters, audited
        self._rewriter = Rewriter(catalog)
        self._texts: OrderedDict[tuple[str, Place], Rewritten] = OrderedDict()
        self._shapes: OrderedDict[tuple[str, Place], frozenset[int] | None] = OrderedDict()
        self._plans: OrderedDict[tuple[str, Place, Names], _Plan | None] = OrderedDict()

    def rewrite(
        self, text: str, path: Sequence[str], user: str = "", default: Sequence[str] | None = None
    ) -> Rewritten:
        """As the rewriter does; raises Refused. The result is shared and not to be changed."""
        place: Place = (tuple(path), user, None if default is None else tuple(default))
        found = self._texts.get((text, place))
        if found is not None:
            self.counters.add("cache_text_hits_total")
            return found
        if len(text) > _LONG:
            return self._made(text, place)
        made = self._by_shape(text, place)
        if made is None:
            made = self._made(text, place)
            _put(self._texts, (text, place), made, _TEXTS)
        return made

    def _made(self, text: str, place: Place) -> Rewritten:
        self.counters.add("cache_misses_total")
        done = self._rewriter.rewrite(text, *place)
        if self.audited:
            done.fingerprint, done.masked = fingerprint(text), _masked(text, done, self.catalog)
        return done

    def _by_shape(self, text: str, place: Place) -> Rewritten | None:
        """A rewrite by shape, or None where the text is to be rewritten as it is."""
        lifted = _lifted(text)
        if lifted is None:
            return None
        shape, literals = lifted
        key = (shape, place)
        if key not in self._shapes:  # most shapes come once: what a plan costs is spent on those that come again
            _put(self._shapes, key, None, _SHAPES)
            return None
        free = self._shapes[key]
        if free is None:
            free = self._shapes[key] = _free(shape, literals)
        if not free:
            return None
        fixed = (shape, place, tuple("" if i in free else literal for i, literal in enumerate(literals)))
        if fixed in self._plans:
            self.counters.add("cache_shape_hits_total")
        else:
            _put(self._plans, fixed, self._plan(shape, literals, free, place), _SHAPES)
        plan = self._plans[fixed]
        return None if plan is None else plan.filled(literals)

    def _plan(self, shape: str, literals: list[str], free: frozenset[int], place: Place) -> _Plan | None:
        marks = _marks(literals)
        text = _filled(shape, [marks[i] if i in free else literal for i, literal in enumerate(literals)])
        try:
            done = self._made(text, place)
        except Refused:
            return None
        finder = re.compile("|".join(re.escape(marks[i]) for i in free))
        found = finder.findall(done.sql)
        if done.moves or len(found) != len(free) or len(set(found)) != len(found):
            return None
        return _Plan(tuple(finder.split(done.sql)), tuple(marks.index(mark) for mark in found), done)


def _put(into: OrderedDict[Any, Any], key: object, value: object, most: int) -> None:
    into[key] = value
    while len(into) > most:
        into.popitem(last=False)


def _lifted(text: str) -> tuple[str, list[str]] | None:
    """The text with marks of their kind in the place of literals, and the literals; None where that cannot be told."""
    if not _READS.match(text) or "\\" in text or "\0" in text:
        return None
    literals: list[str] = []

    def hole(match: re.Match[str]) -> str:
        kind = match.lastindex or 0
        if kind == 1:
            return match[0]
        literals.append(match[0])
        return _HOLE[kind]

    shape = _LITERAL.sub(hole, text)
    # Comments, dollar quotes, prefixed or continued strings: their rules are the server's business.
    if not literals or "'" in shape or "--" in shape or "/*" in shape or not shape.isascii():
        return None
    if ("$" in shape and _DOLLAR.search(shape)) or ("\0s" in shape and _CONTINUED.search(shape)):
        return None
    return shape, literals


def _filled(shape: str, literals: Sequence[str]) -> str:
    each = iter(literals)
    return re.sub(r"\0[nfs]", lambda _: next(each), shape)


def _marks(literals: Sequence[str]) -> list[str]:
    """For each literal one of its kind that occurs nowhere else."""
    numbers = secrets.SystemRandom().sample(range(100_000_000, 999_999_999), len(literals))
    word = secrets.token_hex(8)
    return [
        f"'dbmask {word} {number}'" if literal[0] == "'" else f"{number}.5" if "." in literal else str(number)
        for literal, number in zip(literals, numbers, strict=True)
    ]


def _free(shape: str, literals: Sequence[str]) -> frozenset[int]:
    """Which literals may differ: those that stand as operands of comparisons, and in LIMIT and OFFSET."""
    marks = _marks(literals)
    wanted = {mark.strip("'"): at for at, mark in enumerate(marks)}
    found: set[int] = set()
    try:
        tree = parsed(_filled(shape, marks))
    except Refused:
        return frozenset()
    stack = [raw.stmt for raw in tree.stmts]
    while stack:
        message = stack.pop()
        name = message.DESCRIPTOR.name
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            for part in [value] if hasattr(value, "ListFields") else value:
                stack.append(part)
                if (name == "A_Expr" and field.name in _OPERANDS) or field.name in ("limit_count", "limit_offset"):
                    found.update(wanted[c] for c in _constants(part) if c in wanted)
    return frozenset(found)


def _constants(node: Any) -> list[str]:
    """The constants that a node is, or is a list of."""
    kind = node.WhichOneof("node")
    if kind == "list":
        return [c for item in node.list.items for c in _constants(item)]
    if kind != "a_const":
        return []
    value = node.a_const
    which = value.WhichOneof("val")
    if which == "ival":
        return [str(abs(value.ival.ival))]
    if which == "fval":
        return [value.fval.fval.lstrip("-")]
    return [value.sval.sval] if which == "sval" else []


def _masked(text: str, done: Rewritten, catalog: Catalog) -> list[str]:
    """Which masked columns a statement may read: those that it names, all of a table where it may name whole rows."""
    named: set[str] = set()
    whole = False
    stack = [raw.stmt for raw in parsed(text).stmts]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "ColumnRef":
            last = message.fields[-1]
            whole = whole or last.WhichOneof("node") == "a_star"
            named.add(last.string.sval)
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack.extend([value] if hasattr(value, "ListFields") else value)
    read = {key: relation for key, relation in catalog.relations.items() if ".".join(key) in done.tables}
    columns = {column for relation in read.values() for column in relation.columns}
    # A name that is no column may be a row's.
    whole = whole or not named <= columns
    return sorted(
        f"{'.'.join(key)}.{c}" for key, relation in read.items() for c in relation.masked if whole or c in named
    )
