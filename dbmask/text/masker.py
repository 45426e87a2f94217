"""``TextMasker``: texts masked from Python, without a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text.compile import compile_text
from dbmask.text.mask import Text
from dbmask.text.report import TextReport
from dbmask.text.result import TextResult

__all__ = ["AiCallable", "TextMasker", "TextResult"]

AiCallable = Callable[[Sequence[str], Sequence[str]], Sequence[Sequence[tuple[int, int, str]]]]
"""(texts, labels) -> for each text its entities as (start, end, label)."""

_TEXT = ColumnType(Kind.TEXT, "text")


class TextMasker:
    """Masks texts by matchers, labels and masks, written as in a policy.

    ``config`` has ``matchers``, ``masks`` and the other parameters of the mask ``text``. ``key`` is 32 bytes or more, a
    key ring, or None where no mask draws from a key. ``folder`` is what seed files are relative to. ``ai`` is a callable
    (texts, labels) -> lists of (start, end, label) that serves ``ai_detect``; None means the configured endpoint.

    >>> masker = TextMasker({"matchers": {"regex": [{"label": "ZIP", "pattern": r"\\b\\d{5}\\b"}]},
    ...                      "masks": [{"label": "ZIP", "masks": [{"type": "redact"}]}]})
    >>> masker.mask("ZIP Code: 90210").output
    'ZIP Code: *****'

    Raises PolicyError and BindError for a configuration that is wrong, KeySourceError where a key is needed.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        key: bytes | MasterKey | KeyRing | None = None,
        ai: AiCallable | None = None,
        folder: str | Path = ".",
    ) -> None:
        mask = build_mask({"mask": "text", **config}, folder=str(folder))
        if not isinstance(mask, Text):
            raise UsageError("a text masker needs the parameters of the mask `text`")
        self._bind(mask, _ring(key), ai)

    @classmethod
    def of(cls, mask: Text, keys: KeyRing) -> TextMasker:
        """A masker from a mask that a policy has made. Raises as the class does."""
        made = cls.__new__(cls)
        made._bind(mask, keys, None)
        return made

    def _bind(self, mask: Text, keys: KeyRing, ai: AiCallable | None) -> None:
        target = Column("text", _TEXT)
        compiled = compile_text(mask, Columns((target,), _AnyColumn({target.name: target})), keys, ai)
        self._engine = compiled.engine
        self._inputs = compiled.inputs
        self.warnings = compiled.notes
        """What is odd about the configuration, in words."""

    @property
    def report(self) -> TextReport:
        """Counts over all texts so far."""
        return self._engine.report

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that ``row`` must have."""
        return self._inputs

    def mask(self, text: str, row: Mapping[str, Any] | None = None, explain: bool = False) -> TextResult:
        """Mask one text. Raises UsageError where ``row`` lacks a column, MaskError where the text cannot be masked."""
        return self.mask_many([text], None if row is None else [row], explain)[0]

    def mask_many(
        self, texts: Sequence[str], rows: Sequence[Mapping[str, Any]] | None = None, explain: bool = False
    ) -> list[TextResult]:
        """Mask texts, each with its row. Raises as :meth:`mask`, and UsageError where the numbers differ."""
        at, columns = self._given(texts, rows)
        self._engine.explain = explain
        results = iter(self._engine.run([texts[i] for i in at], columns))
        return [next(results) if text else TextResult(text) for text in texts]

    def outputs(self, texts: Sequence[str], rows: Sequence[Mapping[str, Any]] | None = None) -> list[str]:
        """The masked texts alone, which takes less time and memory. Raises as :meth:`mask_many`."""
        at, columns = self._given(texts, rows)
        self._engine.explain = False
        masked = iter(self._engine.outputs([texts[i] for i in at], columns))
        return [next(masked) if text else text for text in texts]

    def _given(
        self, texts: Sequence[str], rows: Sequence[Mapping[str, Any]] | None
    ) -> tuple[list[int], dict[str, list[Any]]]:
        """Which texts there is something to mask in, and the columns beside them."""
        if rows is not None and len(rows) != len(texts):
            raise UsageError(f"{len(texts)} texts were given with {len(rows)} rows")
        if self._inputs and rows is None:
            raise UsageError(
                f"this text masker reads the columns {', '.join(self._inputs)} of the row, and no row was given"
            )
        at = [i for i, text in enumerate(texts) if text]
        columns = {name: [_value(rows[i], name) for i in at] for name in self._inputs} if rows is not None else {}
        return at, columns


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        raise UsageError(f"the row has no column {name!r}")
    return row[name]


def _ring(key: bytes | MasterKey | KeyRing | None) -> KeyRing:
    if isinstance(key, KeyRing):
        return key
    return KeyRing(MasterKey(key) if isinstance(key, bytes) else key)


class _AnyColumn(dict[str, Column]):
    """Columns of rows that are not there yet: each is taken for text."""

    def get(self, name: str, default: Any = None) -> Column:
        return self.setdefault(name, Column(name, _TEXT))

    def __missing__(self, name: str) -> Column:
        return self.get(name)
