"""From a text mask's configuration to masked texts: matchers, spans, masks of labels, and what happens when one fails.

No failure lets a text through: it becomes what the fallback masks make of the whole text, or the run fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from dbmask.errors import MaskError
from dbmask.text.assemble import assembled, reason
from dbmask.text.batch import Batch, Finder, Found
from dbmask.text.labels import Chain, LabelMasker
from dbmask.text.report import TextReport
from dbmask.text.result import TextResult
from dbmask.text.rows import RowNames
from dbmask.text.spans import Part, Place, merge_all

__all__ = ["Engine"]

_TEXTS = 2_000
_CHARACTERS = 1 << 20


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
        for start, end in _pieces(texts):
            part = Batch(texts[start:end], {name: values[start:end] for name, values in rows.items()})
            made += self._batch(part)
        return made

    def _batch(self, batch: Batch) -> list[TextResult]:
        founds = [self._find(finder, batch) for finder in self.finders]
        failed: dict[int, str] = {}
        for found in founds:
            self.report.dropped += found.dropped
            for index, why in found.failed.items():
                failed.setdefault(index, why)
        merged = merge_all(chain.from_iterable(found.hits for found in founds), len(batch.texts))
        if not self.explain:
            for found in founds:
                found.hits = []  # of a long text they are many
        for index in failed:
            merged[index] = []
        lemmas = {place: lemma for found in founds for place, lemma in found.lemmas.items()}
        labels = [label for label, _ in self.rules]
        outputs = assembled(batch, merged, labels, self.maskers, lemmas, failed)
        made = [self._outcome(batch, i, output, merged[i], failed.get(i, "")) for i, output in enumerate(outputs)]
        if self.explain:
            for i, outcome in enumerate(made):
                self._explain(outcome, i, founds)
        nothing = [i for i, outcome in enumerate(made) if not outcome.places and not outcome.failed]
        self.report.name(lambda: (self._row(batch, i) for i in nothing))
        self.report.count(made)
        return made

    def _outcome(self, batch: Batch, index: int, output: str, places: Sequence[Place], failed: str) -> TextResult:
        if not failed and places and self.limit is not None and len(output) > self.limit:
            failed = f"the masked text is longer than the column's {self.limit} characters"
        if failed:
            return TextResult(self._fall_back(batch, index, failed), failed=failed)
        return TextResult(output, places, self.rules) if places else TextResult(self._nothing(batch, index))

    def _row(self, batch: Batch, index: int) -> str:
        return self.names.of(batch.rows, index, self.report.texts)

    # -- finding -------------------------------------------------------------------------------------------------

    def _find(self, finder: Finder, batch: Batch) -> Found:
        try:
            return finder.find(batch)
        except Exception:
            # Whatever it was: each text is tried alone, so that only those that fail are replaced.
            return self._one_by_one(finder, batch)

    def _one_by_one(self, finder: Finder, batch: Batch) -> Found:
        whole = Found()
        for i in range(len(batch.texts)):
            try:
                found = finder.find(batch.one(i))
            except Exception as error:
                whole.failed[i] = f"{finder.name} failed: {reason(error)}"
                continue
            whole.hits += [(i, *hit[1:]) for hit in found.hits]
            whole.rejected += [(i, *item[1:]) for item in found.rejected]
            whole.lemmas.update({(i, start, end): lemma for (_, start, end), lemma in found.lemmas.items()})
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
        if self.on_nothing == "keep" or self.nothing is None:
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

    def _explain(self, outcome: TextResult, index: int, founds: list[Found]) -> None:
        def part(start: int, negative: int, rank: int) -> Part:
            return Part(start, -negative, *self.rules[rank], self.reasons[rank])

        hits = sorted(hit[1:] for found in founds for hit in found.hits if hit[0] == index)
        parts = [part(*hit) for hit in hits]
        outcome.parts = tuple(tuple(p for p in parts if span.start <= p.start < span.end) for span in outcome.spans)
        outcome.rejected = tuple(
            (part(start, negative, rank), why)
            for found in founds
            for at, start, negative, rank, why in found.rejected
            if at == index
        )


def _pieces(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Ranges of texts that are worked on together: bounded in number and in characters."""
    start, characters = 0, 0
    for i, text in enumerate(texts):
        if i > start and (i - start >= _TEXTS or characters + len(text) > _CHARACTERS):
            yield start, i
            start, characters = i, 0
        characters += len(text)
    if start < len(texts):
        yield start, len(texts)
