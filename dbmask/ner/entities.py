"""What is found in a text, and the result of masking one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Entity", "EntityLabel", "PipelineResult", "Raw", "merged"]


class EntityLabel(StrEnum):
    """The kinds of entity; the tag in masked text is ``[LABEL]``."""

    PERSON = "PERSON"
    LOCATION = "LOCATION"
    ORGANISATION = "ORGANISATION"
    DATE = "DATE"
    TIME = "TIME"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    URL = "URL"
    IP = "IP"
    IBAN = "IBAN"
    CREDIT_CARD = "CREDIT_CARD"
    NATIONAL_ID = "NATIONAL_ID"

    @property
    def tag(self) -> str:
        """What stands in masked text."""
        return f"[{self.value}]"


class Raw(NamedTuple):
    """One finding of one detector: code points, ``end`` exclusive; ``score`` from 0 to 1."""

    start: int
    end: int
    label: EntityLabel
    score: float
    detector: str


@dataclass(frozen=True)
class Entity:
    """One entity of a text. ``start`` and ``end`` are code points of the input; ``score`` says how sure the detector is."""

    text: str
    label: EntityLabel
    start: int
    end: int
    score: float
    detector: str

    def as_dict(self) -> dict[str, Any]:
        """The entity as plain data."""
        return {
            "text": self.text,
            "label": self.label.value,
            "start": self.start,
            "end": self.end,
            "score": self.score,
            "detector": self.detector,
        }


@dataclass(frozen=True)
class PipelineResult:
    """A text with its entities replaced by tags. ``stats``: seconds taken and the detectors that ran."""

    input: str
    output: str
    entities: tuple[Entity, ...]
    language: str | None
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def entity_count(self) -> int:
        """The number of entities."""
        return len(self.entities)

    @property
    def labels_found(self) -> list[str]:
        """The labels of the entities, each once, sorted."""
        return sorted({entity.label.value for entity in self.entities})

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data. It holds the original text."""
        return {
            "input": self.input,
            "output": self.output,
            "entities": [entity.as_dict() for entity in self.entities],
            "language": self.language,
            "entity_count": self.entity_count,
            "labels_found": self.labels_found,
            "stats": self.stats,
        }


def merged(found: Iterable[Raw]) -> list[Raw]:
    """Overlapping findings joined to their union, so that no character of one is left over.

    The union is what its surest part is; of equal ones the longest, then the left-most.
    """
    made: list[Raw] = []
    end = -1
    best = (0.0, 0, 0)
    for item in sorted(found):
        rank = (item.score, item.end - item.start, -item.start)
        if item.start < end:
            last = made[-1]
            end = max(end, item.end)
            keep = last if best >= rank else item
            best = max(best, rank)
            made[-1] = keep._replace(start=last.start, end=end)
        else:
            made.append(item)
            end, best = item.end, rank
    return made
