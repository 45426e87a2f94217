"""The ``ner`` matcher: what dbmask's own detectors find, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbmask.errors import BindError
from dbmask.masks.base import nearest
from dbmask.ner.entities import EntityLabel, Raw
from dbmask.ner.pipeline import detect_many, load_models
from dbmask.text.batch import Batch, Found
from dbmask.text.config import Ner
from dbmask.text.filters import Filters
from dbmask.text.words import filtered

__all__ = ["EntityFinder"]

_OTHER_NAMES = {
    "ORGANIZATION": EntityLabel.ORGANISATION,
    "NAME": EntityLabel.PERSON,
    "FULL_NAME": EntityLabel.PERSON,
    "PHONE_NUMBER": EntityLabel.PHONE,
    "CITY": EntityLabel.LOCATION,
}


def _kind(rule: Ner) -> EntityLabel:
    name = rule.entity or rule.label
    found = _OTHER_NAMES.get(name) or next((label for label in EntityLabel if label.value == name), None)
    if found is None:
        legal = [label.value for label in EntityLabel]
        hint = nearest(name, legal) or f"there are: {', '.join(legal)}"
        raise BindError(f"{rule.label}: the detectors know no entity {name!r}", f"name one with `entity:`; {hint}")
    return found


class EntityFinder:
    """All ``ner`` rules. ``rules`` are (rank, rule); those of one language and model share one search."""

    name = "ner"

    def __init__(self, rules: Sequence[tuple[int, Ner]]) -> None:
        self._groups: dict[tuple[str | None, str | None], dict[EntityLabel, list[tuple[int, Filters]]]] = {}
        for rank, rule in rules:
            group = self._groups.setdefault((rule.language, rule.model), {})
            group.setdefault(_kind(rule), []).append((rank, Filters(rule.context_filters)))
        self._models: dict[str | None, list[Any]] = {model: load_models(model) for _, model in self._groups}

    def find(self, batch: Batch) -> Found:
        """Search each distinct text once."""
        found = Found()
        places: dict[str, list[int]] = {}
        for i, text in enumerate(batch.clean):
            places.setdefault(text, []).append(i)
        distinct = list(places)
        for (language, model), kinds in self._groups.items():
            entities = detect_many(distinct, language, self._models[model])
            for text, raws in zip(distinct, entities, strict=True):
                for index in places[text]:
                    _note(batch, index, raws, kinds, found)
        return found


def _note(
    batch: Batch, index: int, raws: Sequence[Raw], kinds: dict[EntityLabel, list[tuple[int, Filters]]], found: Found
) -> None:
    for raw in raws:
        for rank, filters in kinds.get(raw.label, ()):
            filtered(filters, batch, index, raw.start, raw.end, rank, found)
