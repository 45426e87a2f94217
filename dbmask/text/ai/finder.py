"""The ``ai_detect`` matcher: from its rules and a service to spans, one answer for all its labels."""

from __future__ import annotations

import os
import secrets
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

_USUAL = 1_000
"""Characters of a text in an estimate where the column does not say."""

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

    def __init__(self, rules: Sequence[tuple[int, AiDetect]], detector: Detector) -> None:
        self._labels = tuple(dict.fromkeys(rule.label for _, rule in rules))
        self._rules: dict[str, tuple[int, Filters]] = {}
        for rank, rule in rules:
            self._rules.setdefault(rule.label, (rank, Filters(rule.context_filters)))
        self._detector = detector
        self._dropped = 0

    def find(self, batch: Batch) -> Found:
        """Ask for all texts that are short enough; those that are not, and those without an answer, have failed."""
        found = Found()
        asked = [i for i, text in enumerate(batch.texts) if len(text) <= LIMIT]
        for i in sorted(set(range(len(batch.texts))) - set(asked)):
            found.failed[i] = f"ai_detect failed: the text is longer than {LIMIT} characters"
        if not asked:
            return found
        answers = self._detector([batch.clean[i] for i in asked], self._labels)
        found.dropped = getattr(self._detector, "dropped", 0) - self._dropped
        self._dropped += found.dropped
        if len(answers) != len(asked):
            raise ValueError("a detector answers each text")
        for i, answer in zip(asked, answers, strict=True):
            if isinstance(answer, str):
                found.failed[i] = f"ai_detect failed: {answer}"
            else:
                self._note(i, batch, answer, found)
        return found

    def _note(self, index: int, batch: Batch, answer: Answer, found: Found) -> None:
        for start, end, label in answer:
            rule = self._rules.get(label)
            if rule is None or not 0 <= start < end <= len(batch.texts[index]):
                found.failed[index] = "ai_detect failed: the detector's answer does not fit the text"
                return
            filtered(rule[1], batch, index, start, end, rule[0], found)


def ai_finder(
    rules: Sequence[tuple[int, AiDetect]],
    service: AiService | None,
    detector: Callable[..., Any] | None,
    keys: KeyRing,
    columns: Columns,
) -> tuple[AiFinder, list[str]]:
    """The matcher with what serves it, and notes for the plan. Raises BindError where nothing is there to serve it."""
    service = service or AiService()
    only = [rule for _, rule in rules]
    if detector is not None:
        return AiFinder(rules, detector), []
    if service.engine == "rules":
        from dbmask.text.ai.rules import RulesDetector

        served = ", ".join(dict.fromkeys(rule.label for rule in only))
        return AiFinder(rules, RulesDetector(only)), [f"ai_detect: {served} found by rules, no model is asked"]
    base_url = service.base_url or os.environ.get("DBMASK_AI_BASE_URL", "")
    model = service.model or os.environ.get("DBMASK_AI_MODEL", "")
    if not base_url or not model:
        raise BindError(
            "ai_detect needs an endpoint: `ai: {base_url: ..., model: ...}`, or DBMASK_AI_BASE_URL and DBMASK_AI_MODEL",
            "`ai: {engine: rules}` serves many presets without one",
        )
    return _asking(rules, service, base_url, model, keys, columns)


def _asking(
    rules: Sequence[tuple[int, AiDetect]],
    service: AiService,
    base_url: str,
    model: str,
    keys: KeyRing,
    columns: Columns,
) -> tuple[AiFinder, list[str]]:
    from dbmask.text.ai.cache import Cache
    from dbmask.text.ai.client import Client, api_key
    from dbmask.text.ai.cost import estimate
    from dbmask.text.ai.endpoint import EndpointDetector
    from dbmask.text.ai.prompt import prompt_for

    prompt = prompt_for([rule for _, rule in rules])
    client = Client(base_url, api_key(service.api_key), service.timeout, service.retries)
    # What is kept in a file must be found again by the next run, so its hashes need the master key.
    secret = keys.master.derive("ai_detect cache") if service.cache else secrets.token_bytes(32)
    cache = Cache(secret, f"{model}\n{prompt.digest}", service.cache)
    notes = [client.note] if client.note else []
    if columns.rows:
        length = min(columns.target.type.length or _USUAL, LIMIT)
        notes.append(
            f"ai_detect asks {model}: {estimate(prompt, service, columns.rows, length)}, at {length} characters a text"
        )
    asking = EndpointDetector(client, model, prompt, cache, service.concurrency, service.batch)
    return AiFinder(rules, asking), notes
