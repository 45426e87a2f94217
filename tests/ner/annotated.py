"""The annotated sentences of tests/data/ner, and how findings are held against them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dbmask.ner import detect

__all__ = ["Score", "Sentence", "score", "sentences"]

_MARKED = re.compile(r"\{([A-Z]+):([^{}]+)\}")


@dataclass(frozen=True)
class Sentence:
    """A text with its entities: (start, end, label)."""

    text: str
    gold: tuple[tuple[int, int, str], ...]


@dataclass
class Score:
    """For each label: how many there were, how many were covered whole, how many were found and how many of those are right."""

    gold: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def recall(self, *labels: str) -> float:
        """The share of annotated entities that one finding of the same label covers whole."""
        return sum(self.covered[label] for label in labels) / sum(self.gold[label] for label in labels)

    def precision(self, *labels: str) -> float:
        """The share of findings that touch an annotated entity of the same label."""
        return sum(self.right[label] for label in labels) / max(1, sum(self.found[label] for label in labels))


def sentences(code: str) -> list[Sentence]:
    """The sentences of one language."""
    path = Path(__file__).parents[1] / "data" / "ner" / f"{code}.txt"
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [_parsed(line) for line in lines]


def _parsed(line: str) -> Sentence:
    text, gold, at = "", [], 0
    for match in _MARKED.finditer(line):
        text += line[at : match.start()]
        gold.append((len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        at = match.end()
    return Sentence(text + line[at:], tuple(gold))


def score(code: str, language: str | None = None) -> Score:
    """The rule detectors against one language's sentences; ``language`` None lets them detect it."""
    made = Score()
    for sentence in sentences(code):
        found = [(r.start, r.end, r.label.value) for r in detect(sentence.text, language)]
        for start, end, label in sentence.gold:
            made.gold[label] += 1
            if any(s <= start and end <= e and kind == label for s, e, kind in found):
                made.covered[label] += 1
            else:
                made.missed.append((label, sentence.text))
        for start, end, label in found:
            made.found[label] += 1
            if any(s < end and start < e and kind == label for s, e, kind in sentence.gold):
                made.right[label] += 1
            else:
                made.wrong.append((f"{label} {sentence.text[start:end]}", sentence.text))
    return made
