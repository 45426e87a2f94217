"""The detectors, one after the other, and the masked text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from dbmask.errors import UsageError
from dbmask.ner.dates import dates_and_times
from dbmask.ner.entities import Entity, EntityLabel, PipelineResult, Raw, merged
from dbmask.ner.language import LANGUAGES, detect_language
from dbmask.ner.names import names
from dbmask.ner.patterns import forms

if TYPE_CHECKING:
    from dbmask.ner.model import Model

__all__ = ["detect", "detect_many", "load_models", "mask"]

_RULES = ("forms", "dates", "names")


def detect(text: str, language: str | None = None) -> list[Raw]:
    """All entities of a text, overlapping ones merged. ``language`` None runs the detectors of the language found, or of all."""
    return detect_many([text], language)[0]


def detect_many(texts: Sequence[str], language: str | None = None, models: Sequence[Model] = ()) -> list[list[Raw]]:
    """The entities of each text; ``models`` add to what the rules find. Raises UsageError for an unknown language."""
    found = [_by_rules(text, language) for text in texts]
    for model in models:
        for known, more in zip(found, model.many(texts), strict=True):
            known += more
    return [merged(known) for known in found]


def _by_rules(text: str, language: str | None) -> list[Raw]:
    codes = _codes(text, language)
    found = [*forms(text), *dates_and_times(text, codes)]
    taken = [(item.start, item.end) for item in found]
    return [*found, *names(text, codes, taken)]


def load_models(name: str | None) -> list[Model]:
    """The pipeline of this name, or nothing. Raises UsageError where it is not there."""
    if name is None:
        return []
    from dbmask.ner.model import load_model

    return [load_model(name)]


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
    with one, that must be there and adds to the built-in detectors; by default, en_core_web_lg and fr_core_news_lg are
    added to texts of their language where they are installed, and "none" adds none.

    >>> mask("Alice habite à Paris.").output
    '[PERSON] habite à [LOCATION].'

    Raises UsageError for an unknown language and for a model that is not installed.
    """
    texts = [text] if isinstance(text, str) else list(text)
    begun = time.perf_counter()
    groups = _by_models(texts, language, model)
    found: dict[int, list[Raw]] = {}
    for models, places in groups.items():
        found |= zip(places, detect_many([texts[at] for at in places], language, models), strict=True)
    used = {at: [*_RULES, *(m.name for m in models)] for models, places in groups.items() for at in places}
    seconds = round((time.perf_counter() - begun) / max(1, len(texts)), 6)
    results = [
        _result(item, language, found[at], {"seconds": seconds, "detectors": used[at]}) for at, item in enumerate(texts)
    ]
    return results[0] if isinstance(text, str) else results


def _by_models(texts: Sequence[str], language: str | None, model: str | None) -> dict[tuple[Model, ...], list[int]]:
    """The places of the texts that the same pipelines see: the one named, or those installed for each text's language."""
    from dbmask.ner.model import RULES_ONLY, installed_models

    if model is not None:
        return {tuple(load_models(None if model == RULES_ONLY else model)): list(range(len(texts)))}
    groups: dict[tuple[Model, ...], list[int]] = {}
    for at, text in enumerate(texts):
        groups.setdefault(installed_models(_codes(text, language)), []).append(at)
    return groups


def _result(text: str, language: str | None, found: Sequence[Raw], stats: dict[str, Any]) -> PipelineResult:
    entities = tuple(Entity(text[r.start : r.end], r.label, r.start, r.end, r.score, r.detector) for r in found)
    stats["characters"] = len(text)
    return PipelineResult(text, _tagged(text, entities), entities, language or detect_language(text), stats)


def _tagged(text: str, entities: Iterable[Entity]) -> str:
    parts, at = [], 0
    for entity in entities:
        parts += [text[at : entity.start], EntityLabel(entity.label).tag]
        at = entity.end
    return "".join([*parts, text[at:]])
