"""The detector behind an endpoint: distinct texts, several at a time, each answer checked against its text."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbmask.text.ai.cache import Cache
from dbmask.text.ai.client import Client, Refused
from dbmask.text.ai.locate import locate
from dbmask.text.ai.prompt import Prompt

__all__ = ["EndpointDetector"]

Answer = list[tuple[int, int, str]]


class EndpointDetector:
    """Asks a model for the entities of texts. ``dropped`` counts quotes that were not in their text, and unknown labels."""

    def __init__(self, client: Client, model: str, prompt: Prompt, cache: Cache, concurrency: int, batch: int) -> None:
        self._client = client
        self._model = model
        self._prompt = prompt
        self._cache = cache
        self._concurrency = concurrency
        self._batch = batch
        self.dropped = 0

    def __call__(self, texts: Sequence[str], labels: Sequence[str]) -> list[Answer | str]:
        """For each text its entities, or why there is no answer."""
        distinct = list(dict.fromkeys(texts))
        known: dict[str, Answer | str] = {}
        for text in distinct:
            found = self._cache.get(text)
            if found is not None:
                known[text] = found
        wanted = [text for text in distinct if text not in known]
        groups = [wanted[i : i + self._batch] for i in range(0, len(wanted), self._batch)]
        if groups:
            with ThreadPoolExecutor(min(self._concurrency, len(groups))) as pool:
                for group, answers in zip(groups, pool.map(self._ask, groups), strict=True):
                    known.update(zip(group, answers, strict=True))
        return [known[text] for text in texts]

    def _ask(self, group: list[str]) -> list[Answer | str]:
        try:
            answer = self._client.ask(self._prompt.body(self._model, group))
        except Refused as refused:
            if len(group) == 1:
                return [str(refused)]
            # One text may be why: each is asked for alone.
            return [self._ask([text])[0] for text in group]
        entities = _by_id(answer)
        made: list[Answer | str] = []
        for i, text in enumerate(group):
            if i not in entities:
                made.append("the model left a text out" if len(group) == 1 else self._ask([text])[0])
                continue
            found = self._located(text, entities[i])
            self._cache.put(text, found)
            made.append(found)
        return made

    def _located(self, text: str, entities: list[Any]) -> Answer:
        found: Answer = []
        for entity in entities:
            label, quote = (entity.get("label"), entity.get("quote")) if isinstance(entity, dict) else (None, None)
            places = locate(quote, text) if isinstance(quote, str) and label in self._prompt.labels else []
            if not places:
                self.dropped += 1
            found += [(start, end, str(label)) for start, end in places]
        return sorted(set(found))


def _by_id(answer: Any) -> dict[int, list[Any]]:
    """The entities of each text in an answer; texts with an answer of another shape are left out."""
    items = answer.get("texts") if isinstance(answer, dict) else None
    found: dict[int, list[Any]] = {}
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("id"), int) and isinstance(item.get("entities"), list):
            found[item["id"]] = item["entities"]
    return found
