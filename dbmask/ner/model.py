"""spaCy pipelines, where one is named or installed: they add to the built-in detectors and never take away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dbmask.errors import UsageError
from dbmask.ner.entities import EntityLabel, Raw

__all__ = ["RULES_ONLY", "Model", "installed_models", "load_model"]

RULES_ONLY = "none"
"""The name of no pipeline."""

_BY_LANGUAGE = {"en": "en_core_web_lg", "fr": "fr_core_news_lg"}
"""The packages that are used without being named, where they are installed."""

_LABELS = {
    "PERSON": EntityLabel.PERSON,
    "PER": EntityLabel.PERSON,
    "P": EntityLabel.PERSON,
    "ORG": EntityLabel.ORGANISATION,
    "ORGANISATION": EntityLabel.ORGANISATION,
    "ORGANIZATION": EntityLabel.ORGANISATION,
    "GPE": EntityLabel.LOCATION,
    "LOC": EntityLabel.LOCATION,
    "LOCATION": EntityLabel.LOCATION,
    "FAC": EntityLabel.LOCATION,
    "DATE": EntityLabel.DATE,
    "TIME": EntityLabel.TIME,
}
"""What the labels of common pipelines mean here; others (MISC, QUANTITY ...) are left alone."""

_SCORE = 0.8


class Model:
    """A loaded pipeline."""

    def __init__(self, name: str, pipeline: Any) -> None:
        self.name = f"spacy:{name}"
        self._pipeline = pipeline

    def many(self, texts: Sequence[str]) -> list[list[Raw]]:
        """The entities of each text. Raises UsageError."""
        limit = self._pipeline.max_length
        if any(len(text) > limit for text in texts):
            raise UsageError(
                f"a text is longer than the {limit} characters that the pipeline {self.name} takes: mask its lines "
                "(--lines), or by rules alone (--model none)"
            )
        return [self._entities(document) for document in self._pipeline.pipe(texts, batch_size=64)]

    def _entities(self, document: Any) -> list[Raw]:
        return [
            Raw(entity.start_char, entity.end_char, _LABELS[entity.label_], _SCORE, self.name)
            for entity in document.ents
            if entity.label_ in _LABELS and entity.end_char > entity.start_char
        ]


def installed_models(languages: Iterable[str]) -> tuple[Model, ...]:
    """The installed pipelines for these languages; none where spaCy or their packages are not there."""
    if find_spec("spacy") is None:
        return ()
    names = (_BY_LANGUAGE.get(language) for language in languages)
    return tuple(load_model(name) for name in names if name is not None and find_spec(name) is not None)


@lru_cache(maxsize=8)
def load_model(name: str) -> Model:
    """The pipeline of this name, or in this folder. Raises UsageError, with the command that installs it, where it is not there."""
    try:
        spacy: Any = import_module("spacy")
    except ImportError:
        raise UsageError(
            f"the pipeline {name!r} needs spaCy, which is not installed: pip install spacy, then "
            f"python -m spacy download {name}"
        ) from None
    try:
        pipeline = spacy.load(name)
    except OSError:
        what = "is no pipeline in this folder" if Path(name).exists() else "is not installed"
        raise UsageError(f"the pipeline {name!r} {what}: python -m spacy download {name}") from None
    if "ner" not in pipeline.pipe_names and not any("ner" in part for part in pipeline.pipe_names):
        raise UsageError(f"the pipeline {name!r} has no entity recognizer")
    return Model(name, pipeline)
