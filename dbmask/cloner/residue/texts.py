"""The texts of a column's values that could be one of those looked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.planner.telling import LEAST, long_words, with_words, words
from dbmask.spi import Reader, ReadsTexts

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["DOCUMENT", "SHORT", "inner_texts", "long_numbers", "long_texts", "texts_of"]

DOCUMENT = '{["'
"""What a text begins with that may be a JSON document of several values."""
_LEAST_DIGITS = 9
SHORT = 10 ** (_LEAST_DIGITS - 1)
"""Whole numbers nearer to 0 than this tell of nobody."""
_BATCH = 2_000
"""Rows that are looked at together: few enough to stay in the processor's cache."""


def long_numbers(values: Iterable[Any]) -> list[str]:
    """Long whole numbers, which a reader gives as such or as texts."""
    values = list(values)
    if set(map(type, values)) == {int} and min(values) > -SHORT and max(values) < SHORT:
        return []
    known = [str(v) for v in values if v is not None and v.__class__ in (int, str)]
    return [t for t in known if len(t) - t.startswith("-") >= _LEAST_DIGITS]


def long_texts(values: Iterable[Any]) -> list[str]:
    """Values as texts, those that are long enough."""
    texts = list(values)
    if set(map(type, texts)) != {str}:
        texts = [v if v.__class__ is str else _as_text(v) for v in texts if v is not None]
    return [t for t in texts if len(t) >= LEAST]


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def inner_texts(texts: list[str]) -> list[str]:
    """What stands in texts, none of which is empty: their words, the leaves of JSON documents."""
    plain, inner = [], []
    for text in with_words(texts):
        if text[0] not in DOCUMENT:
            plain.append(text)
            continue
        try:
            inner += [w for w in _leaves(json.loads(text)) if len(w) >= LEAST]
        except (ValueError, RecursionError):
            plain.append(text)
    return inner + long_words(plain)


def _leaves(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [leaf for v in data.values() for leaf in _leaves(v)]
    if isinstance(data, list):
        return [leaf for v in data for leaf in _leaves(v)]
    if isinstance(data, str):
        return [data, *words(data)]
    return [str(data)] if isinstance(data, int) and not isinstance(data, bool) else []


def texts_of(reader: Reader, query: exp.Select) -> Iterator[Sequence[Sequence[Any]]]:
    """The columns of a query, as texts where the reader gives them so."""
    if isinstance(reader, ReadsTexts):
        yield from reader.read_texts(query)
    else:
        yield from reader.read(query, _BATCH)
