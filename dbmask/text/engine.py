"""From a text mask's configuration to masked texts: matchers, spans, masks of labels, and what happens when one fails.

No failure lets a text through: it becomes what the fallback masks make of the whole text, or the run fails.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

from dbmask.errors import MaskError
from dbmask.text.assemble import assembled, reason
from dbmask.text.batch import Batch, Finder, Found
from dbmask.text.labels import Chain, LabelMasker
from dbmask.text.report import TextReport
from dbmask.text.result import TextResult
from dbmask.text.rows import RowNames
from dbmask.text.spans import Part, Place, merge

__all__ = ["Engine"]

_TEXTS = 2_000
_CHARACTERS = 1 << 20


@dataclass
class _Outcome:
    """What became of a batch: its texts masked; places in the joined texts, by text from ``firsts``; failures by text."""

    outputs: list[str]
    places: Sequence[Place]
    firsts: Sequence[int]
    failed: Mapping[int, str]
    founds: Sequence[Found]


@dataclass
class Engine:
    """A bound text mask.

    ``rules`` gives label and matcher by rank; ``reasons`` says each in words; ``limit`` is the column's length in characters.
    """

    place: str
    names: RowNames
    finders: Sequence[Finder]
    rules: Sequence[tuple[str, str]]
    maskers: Mapping[str, LabelMasker]
    fallback: Chain | None
    on_nothing: str
    nothing: Chain | None
    reasons: Sequence[str] = ()
    limit: int | None = None
    explain: bool = False
    report: TextReport = field(default_factory=TextReport)

    def run(self, texts: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> list[TextResult]:
        """Mask texts, none of them null or empty. Raises MaskError for a text that cannot be masked and has no fallback."""
        made: list[TextResult] = []
        for part in _parts(texts, rows):
            made += self._results(part, self._batch(part))
        return made

    def outputs(self, texts: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> list[str]:
        """The masked texts alone. Raises as :meth:`run`."""
        made: list[str] = []
        for part in _parts(texts, rows):
            made += self._batch(part).outputs
        return made

    def _batch(self, batch: Batch) -> _Outcome:
        founds = [self._find(finder, batch) for finder in self.finders]
        failed: dict[int, str] = {}
        for found in founds:
            self.report.dropped += found.dropped
            for index, why in found.failed.items():
                failed.setdefault(index, why)
        places = merge(chain.from_iterable(found.hits for found in founds))
        if not self.explain:
            for found in founds:
                found.hits = []  # of a long text they are many
        if failed:
            places = _without(places, failed, batch)
        lemmas = {place: lemma for found in founds for place, lemma in found.lemmas.items()}
        labels = [label for label, _ in self.rules]
        masked = assembled(batch, places, labels, self.maskers, lemmas, failed)
        outputs, firsts = masked.outputs, masked.firsts
        if self.limit is not None and max(map(len, outputs)) > self.limit:
            for i, output in enumerate(outputs):
                if len(output) > self.limit and firsts[i] < firsts[i + 1]:
                    failed.setdefault(i, f"the masked text is longer than the column's {self.limit} characters")
        for i, why in failed.items():
            outputs[i] = self._fall_back(batch, i, why)
        nothing = [i for i, first in enumerate(firsts[:-1]) if first == firsts[i + 1] and i not in failed]
        if self.on_nothing != "keep":
            for i in nothing:
                outputs[i] = self._nothing(batch, i)
        self._count(batch, places, failed, nothing)
        return _Outcome(outputs, places, firsts, failed, founds)

    def _count(self, batch: Batch, places: Sequence[Place], failed: Mapping[int, str], nothing: Sequence[int]) -> None:
        self.report.name(lambda: (self._row(batch, i) for i in nothing))
        counted = _without(places, failed, batch) if failed else places
        ranks = [rank for _, _, rank in counted]
        self.report.count(len(batch.texts) - len(failed), ranks, self.rules, len(nothing))
        self.report.fail(failed[i] for i in sorted(failed))

    def _results(self, batch: Batch, outcome: _Outcome) -> list[TextResult]:
        firsts, rules, places = outcome.firsts, self.rules, outcome.places
        made = [
            TextResult(output, "", rules, places, at)
            for output, at in zip(outcome.outputs, zip(firsts, firsts[1:], batch.starts, strict=False), strict=True)
        ]
        for i, why in outcome.failed.items():
            made[i] = TextResult(made[i].output, why)
        if self.explain:
            for i, result in enumerate(made):
                self._explain(result, batch, i, outcome.founds)
        return made

    def _row(self, batch: Batch, index: int) -> str:
        return self.names.of(batch.rows, index, self.report.texts)

    # -- finding -------------------------------------------------------------------------------------------------

    def _find(self, finder: Finder, batch: Batch) -> Found:
        try:
            return finder.find(batch).check()
        except Exception:
            # Whatever it was: each text is tried alone, so that only those that fail are replaced.
            return self._one_by_one(finder, batch)

    def _one_by_one(self, finder: Finder, batch: Batch) -> Found:
        whole = Found()
        for i in range(len(batch.texts)):
            try:
                found = finder.find(batch.one(i)).check()
            except Exception as error:
                whole.failed[i] = f"{finder.name} failed: {reason(error)}"
                continue
            base = batch.starts[i]
            whole.hits += [(start + base, negative - base, rank) for start, negative, rank in found.hits]
            whole.rejected += [((i, *match[1:]), why) for match, why in found.rejected]
            whole.lemmas.update({(start + base, end + base): lemma for (start, end), lemma in found.lemmas.items()})
            whole.dropped += found.dropped
            if found.failed:
                whole.failed[i] = found.failed[0]
        return whole

    # -- whole texts ---------------------------------------------------------------------------------------------

    def _fall_back(self, batch: Batch, index: int, why: str) -> str:
        if self.fallback is None:
            raise MaskError(
                f"{self.place}, {self._row(batch, index)}: the text could not be masked: {why} "
                "(fallback_masks would replace it whole)"
            )
        return self._whole(self.fallback, batch, index)

    def _nothing(self, batch: Batch, index: int) -> str:
        if self.on_nothing == "fail":
            raise MaskError(f"{self.place}, {self._row(batch, index)}: nothing was found, and `on_nothing` is fail")
        if self.nothing is None:
            return batch.texts[index]
        return self._whole(self.nothing, batch, index)

    def _whole(self, chain: Chain, batch: Batch, index: int) -> str:
        try:
            made = chain.apply([batch.texts[index]], batch.rows, [index])[0]
        except Exception as error:
            where = f"{self.place}, {self._row(batch, index)}"
            raise MaskError(f"{where}: the fallback masks failed: {reason(error)}") from None
        if self.limit is not None and len(made) > self.limit:
            raise MaskError(f"{self.place}: the fallback is longer than the column's {self.limit} characters")
        return made

    def _explain(self, result: TextResult, batch: Batch, index: int, founds: Sequence[Found]) -> None:
        def part(start: int, negative: int, rank: int) -> Part:
            return Part(start, -negative, *self.rules[rank], self.reasons[rank])

        base, limit = batch.starts[index], batch.starts[index + 1]
        hits = sorted((s - base, n + base, r) for found in founds for s, n, r in found.hits if base <= s < limit)
        parts = [part(*hit) for hit in hits]
        result.parts = tuple(tuple(p for p in parts if span.start <= p.start < span.end) for span in result.spans)
        result.rejected = tuple(
            (part(start, negative, rank), why)
            for found in founds
            for (at, start, negative, rank), why in found.rejected
            if at == index
        )


def _parts(texts: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> Iterator[Batch]:
    """Texts that are worked on together: bounded in number and in characters."""
    start, characters = 0, 0
    ends = [] if not texts else [len(texts)]
    if len(texts) > _TEXTS or sum(map(len, texts)) > _CHARACTERS:
        ends = []
        for i, text in enumerate(texts):
            if i > start and (i - start >= _TEXTS or characters + len(text) > _CHARACTERS):
                ends.append(i)
                start, characters = i, 0
            characters += len(text)
        ends.append(len(texts))
    for start, end in pairwise([0, *ends]):
        yield Batch(texts[start:end], {name: values[start:end] for name, values in rows.items()})


def _without(places: Sequence[Place], failed: Container[int], batch: Batch) -> list[Place]:
    """The places that are not in texts that failed."""
    return [place for place in places if bisect_right(batch.starts, place[0]) - 1 not in failed]
