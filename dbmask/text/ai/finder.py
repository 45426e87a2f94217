"""The ``ai_detect`` matcher: from its rules and a service to spans, one answer for all its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns
from dbmask.text.batch import Batch, Found
from dbmask.text.config import AiDetect, AiService
from dbmask.text.filters import Filters
from dbmask.text.words import filtered

__all__ = ["LIMIT", "AiFinder", "Answer", "Detector", "ai_finder"]

LIMIT = 10_000
"""The longest text, in characters, that is given to a detector."""

Answer = list[tuple[int, int, str]]
"""Entities of one text: (start, end, label)."""


class Detector(Protocol):
    """Something that finds entities of labels in texts."""

    def __call__(self, texts: Sequence[str], labels: Sequence[str]) -> Sequence[Answer | str]:
        """For each text its entities, or in words without content why there is no answer."""
        ...


class AiFinder:
    """The matcher. ``rules`` are (rank, rule); several rules may give one label."""

    name = "ai_detect"

    def __init__(self, rules: Sequence[tuple[int, AiDetect]], detector: Callable[..., Any]) -> None:
        self._labels = tuple(dict.fromkeys(rule.label for _, rule in rules))
        self._rules: dict[str, tuple[int, Filters]] = {}
        for rank, rule in rules:
            self._rules.setdefault(rule.label, (rank, Filters(rule.context_filters)))
        self._detector = detector

    def find(self, batch: Batch) -> Found:
        """Ask for all texts that are short enough; those that are not, and those without an answer, have failed."""
        found = Found()
        asked = [i for i, text in enumerate(batch.texts) if len(text) <= LIMIT]
        for i in sorted(set(range(len(batch.texts))) - set(asked)):
            found.failed[i] = f"ai_detect failed: the text is longer than {LIMIT} characters"
        if not asked:
            return found
        answers = self._detector([batch.clean[i] for i in asked], self._labels)
        if len(answers) != len(asked):
            raise ValueError("a detector answers each text")
        for i, answer in zip(asked, answers, strict=True):
            if isinstance(answer, str):
                found.failed[i] = f"ai_detect failed: {answer}"
            else:
                self._note(i, batch.clean[i], answer, found)
        return found

    def _note(self, index: int, text: str, answer: Answer, found: Found) -> None:
        for start, end, label in answer:
            rule = self._rules.get(label)
            if rule is None or not 0 <= start < end <= len(text):
                found.failed[index] = "ai_detect failed: the detector's answer does not fit the text"
                return
            filtered(rule[1], text, index, start, end, rule[0], found)


def ai_finder(
    rules: Sequence[tuple[int, AiDetect]],
    service: AiService | None,
    detector: Callable[..., Any] | None,
    keys: KeyRing,
    columns: Columns,
) -> tuple[AiFinder, list[str]]:
    """The matcher with what serves it, and notes for the plan. Raises BindError where nothing is there to serve it."""
    if detector is not None:
        return AiFinder(rules, detector), []
    raise BindError("ai_detect needs an endpoint")
