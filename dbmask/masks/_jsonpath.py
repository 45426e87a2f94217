"""A subset of JSONPath (RFC 9535) that finds places in a document: names, indexes, wildcards and descent, no filters or slices.

$.customer.name      $['first name']      $.items[0].id      $.items[*].id      $..email      $.*
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["JsonPath", "Place"]

Place = tuple[Any, Any]
"""A container (a dict, a list, or the list that holds the document) and the key or index within it."""

_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:
        (?P<dot>\.)?(?P<name>[^\W\d][\w-]*|\*)
      | \[\s*(?: (?P<index>-?\d+) | (?P<wild>\*) | '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" )\s*\]
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Step:
    """One step: a key (None for all), and whether it may be any number of levels below."""

    key: str | int | None
    deep: bool = False


@dataclass(frozen=True)
class JsonPath:
    """A path; ``definite`` says that it can lead to one place only."""

    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Raises ValueError where the text is no path of the subset."""
        if not text.startswith("$"):
            raise ValueError(f"the path {text!r} must begin with $, as in $.customer.name")
        at, steps = 1, []
        while at < len(text):
            match = _STEP.match(text, at)
            bare = match is not None and match["name"] is not None and not (match["dot"] or match["deep"])
            if match is None or bare or (match["deep"] and match["dot"]):
                raise ValueError(
                    f"the path {text!r} cannot be read from {text[at:]!r} on (names, [n], [*], .. and quoted names)"
                )
            steps.append(_step(match))
            at = match.end()
        return cls(tuple(steps))

    @property
    def definite(self) -> bool:
        """Whether the path leads to at most one place."""
        return all(s.key is not None and not s.deep for s in self.steps)

    def find(self, document: list[Any]) -> list[Place]:
        """The places in the document that the one-element list ``document`` holds, each once."""
        places: list[Place] = [(document, 0)]
        for step in self.steps:
            places = [found for place in places for found in _walk(place[0][place[1]], step)]
        return list({(id(container), key): (container, key) for container, key in places}.values())


def _step(match: re.Match[str]) -> _Step:
    deep = match["deep"] is not None
    if match["index"] is not None:
        return _Step(int(match["index"]), deep)
    quoted = match["single"] if match["single"] is not None else match["double"]
    if quoted is not None:
        return _Step(re.sub(r"\\(.)", r"\1", quoted), deep)
    return _Step(None if match["wild"] or match["name"] == "*" else match["name"], deep)


def _walk(value: Any, step: _Step) -> Iterator[Place]:
    yield from _matching(value, step.key)
    if step.deep:
        for _, child in _children(value):
            yield from _walk(child, step)


def _matching(value: Any, key: str | int | None) -> Iterator[Place]:
    if key is None:
        yield from ((value, at) for at, _ in _children(value))
    elif isinstance(value, dict) and isinstance(key, str) and key in value:
        yield value, key
    elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        yield value, key % len(value)


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
