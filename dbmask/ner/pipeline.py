"""The detectors, one after the other, and the masked text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, overload

from dbmask.errors import UsageError
from dbmask.ner.dates import dates_and_times
from dbmask.ner.entities import Entity, EntityLabel, PipelineResult, Raw, merged
from dbmask.ner.language import LANGUAGES, detect_language
from dbmask.ner.names import names
from dbmask.ner.patterns import forms

__all__ = ["detect", "mask"]


def detect(text: str, language: str | None = None, models: Sequence[Any] = ()) -> list[Raw]:
    """All entities of a text, overlapping ones merged. ``language`` None runs the detectors of the language found, or of all."""
    codes = _codes(text, language)
    found = [*forms(text), *dates_and_times(text, codes)]
    taken = [(item.start, item.end) for item in found]
    found += names(text, codes, taken)
    for model in models:
        found += model(text)
    return merged(found)


def _codes(text: str, language: str | None) -> tuple[str, ...]:
    if language is not None and language not in LANGUAGES:
        raise UsageError(f"the detectors know the languages {', '.join(LANGUAGES)}, not {language!r}")
    known = language or detect_language(text)
    return (known,) if known else LANGUAGES


@overload
def mask(text: str, language: str | None = None, model: str | None = None) -> PipelineResult: ...
@overload
def mask(
    text: list[str] | tuple[str, ...], language: str | None = None, model: str | None = None
) -> list[PipelineResult]: ...


def mask(
    text: str | list[str] | tuple[str, ...], language: str | None = None, model: str | None = None
) -> PipelineResult | list[PipelineResult]:
    """A text with its entities replaced by ``[LABEL]``; for a list of texts, a list of results.

    ``language`` is en, fr or cs; by default each text's own is detected. ``model`` names a spaCy pipeline, or a folder
    with one, that must be there and adds to the built-in detectors.

    >>> mask("Alice habite à Paris.").output
    '[PERSON] habite à [LOCATION].'

    Raises UsageError for an unknown language and for a model that is not installed.
    """
    models = _models(model)
    if isinstance(text, str):
        return _masked(text, language, models)
    return [_masked(item, language, models) for item in text]


def _models(model: str | None) -> list[Any]:
    if model is None:
        return []
    from dbmask.ner.model import load_model

    return [load_model(model)]


def _masked(text: str, language: str | None, models: Sequence[Any]) -> PipelineResult:
    begun = time.perf_counter()
    found = detect(text, language, models)
    entities = tuple(Entity(text[r.start : r.end], r.label, r.start, r.end, r.score, r.detector) for r in found)
    stats = {
        "seconds": round(time.perf_counter() - begun, 6),
        "detectors": ["forms", "dates", "names", *(m.name for m in models)],
        "characters": len(text),
    }
    return PipelineResult(text, _tagged(text, entities), entities, language or detect_language(text), stats)


def _tagged(text: str, entities: Iterable[Entity]) -> str:
    parts, at = [], 0
    for entity in entities:
        parts += [text[at : entity.start], EntityLabel(entity.label).tag]
        at = entity.end
    return "".join([*parts, text[at:]])
