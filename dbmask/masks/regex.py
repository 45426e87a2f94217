"""regex: what a pattern finds, replaced by what other masks make of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._parts import bind_chain, inputs_of, narrow
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import InnerMask

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Regex"]

_DIGITS: dict[str, Any] = {"regex": "[0-9]+", "masks": ["redact"]}


@dataclass(frozen=True, kw_only=True)
class Regex(Mask):
    """Every match of ``regex`` replaced by what ``masks`` make of it, or by the text ``new``; everything else stays.

    Patterns run in time linear to the text (RE2). One that needs look-around or back-references runs with ``engine: re``, at the
    author's risk. A result that is too long for the column is cut to it.
    """

    name: ClassVar[str] = "regex"
    aliases: ClassVar[tuple[str, ...]] = ("replace_regex",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("call 555-0101 at 9", "call ***-**** at *", _DIGITS),
        Case("no digits", "no digits", _DIGITS),
        Case("a1b22", "a#b#", {"regex": r"\d+", "new": "#"}),
        Case("Žofie 12", "X 12", {"regex": r"\pL+", "new": "X"}),
        Case("aab", "aXb", {"regex": "(?<=a)a", "new": "X", "engine": "re"}),
        Case(None, None, _DIGITS),
        Case("", "", _DIGITS),
    )

    regex: Annotated[str, Field(min_length=1, validation_alias=AliasChoices("regex", "pattern"))]
    masks: tuple[InnerMask, ...] = ()
    new: str | None = None
    engine: Literal["re2", "re"] = "re2"

    def __post_init__(self) -> None:
        if (self.new is None) == (not self.masks):
            raise ValueError("give either `masks` or `new`")
        narrow(self, self.masks)
        if self.engine == "re":
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex is no pattern: {error.msg}") from None

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others, and where the pattern is none of its engine's."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"regex makes text, and the column is {type_}", "use fixed or null")
        free = columns.retyped(replace(type_, length=None, padded=False))
        inner = bind_chain(self.masks, free, keys, self.name) if self.masks else None
        spans = _finder(self.regex, self.engine)
        own = Promises(type=type_) if inner is None else inner.promises
        promises = replace(own, type=replace(type_, padded=False), injective=False, outcomes=None, unchanged=1.0)
        return _Matches(columns.target.name, spans, inner, self.new, promises, type_.length, type_.padded)


def _finder(pattern: str, engine: str) -> Any:
    """A function from a text to the (start, end) of each match that is not empty."""
    finditer = re.compile(pattern).finditer if engine == "re" else _re2(pattern).finditer
    return lambda text: [m.span() for m in finditer(text) if m.end() > m.start()]


def _re2(pattern: str) -> Any:
    try:
        re2 = import_module("re2")
    except ModuleNotFoundError:
        raise BindError(
            "regex needs the package google-re2", "pip install 'dbmask[text]', or write `engine: re`"
        ) from None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise BindError(
            "regex is no pattern that RE2 reads", "write `engine: re` for look-around or back-references"
        ) from None


@dataclass(frozen=True)
class _Matches(Reporting):
    """A pattern's matches, masked in one batch for all rows."""

    target: str
    spans: Any
    inner: Bound | None
    new: str | None
    promises: Promises
    limit: int | None
    padded: bool

    def within(self) -> Sequence[Bound]:
        return [] if self.inner is None else [self.inner]

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self.target, self.within())

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        texts = [self._text(v) for v in columns[0]]
        found = [[] if t is None else self.spans(t) for t in texts]
        rows = [i for i, spans in enumerate(found) for _ in spans]
        pieces = [t[a:b] for t, spans in zip(texts, found, strict=True) if t is not None for a, b in spans]
        masked = iter(self._masked(pieces, rows, columns[1:]))
        return [[None if t is None else self._joined(t, spans, masked) for t, spans in zip(texts, found, strict=True)]]

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        return text.rstrip(" ") if self.padded else text

    def _masked(self, pieces: list[str], rows: list[int], others: Sequence[list[Any]]) -> list[Any]:
        if self.inner is None:
            return [self.new] * len(pieces)
        return self.inner.apply([pieces, *([column[i] for i in rows] for column in others)])[0]

    def _joined(self, text: str, spans: list[tuple[int, int]], masked: Any) -> str:
        parts, at = [], 0
        for start, end in spans:
            piece = next(masked)
            parts += [text[at:start], "" if piece is None else str(piece)]
            at = end
        return "".join([*parts, text[at:]])[: self.limit]

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        return None  # engines differ in what they match
