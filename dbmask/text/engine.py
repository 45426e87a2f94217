"""From a text mask's configuration to masked texts: matchers, spans, masks of labels, and what happens when one fails.

No failure lets a text through: it becomes what the fallback masks make of the whole text, or the run fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.errors import DbmaskError, MaskError
from dbmask.text.batch import Batch, Finder, Found
from dbmask.text.labels import Chain, Entity, LabelMasker
from dbmask.text.report import TextReport
from dbmask.text.rows import RowNames
from dbmask.text.spans import Hit, Span, merge

__all__ = ["Engine", "Outcome"]

_Place = tuple[int, int, int]
_TEXTS = 2_000
_CHARACTERS = 1 << 20


@dataclass
class Outcome:
    """What became of one text; ``places`` are (start, end, rank of the rule).

    ``failed`` says, without content, why the whole text was replaced.
    """

    output: str
    places: Sequence[_Place] = ()
    rules: Sequence[tuple[str, str]] = ()
    failed: str = ""
    parts: tuple[tuple[Span, ...], ...] = ()
    rejected: tuple[tuple[Span, str], ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """What was masked, from left to right."""
        return tuple(Span(start, end, *self.rules[rank]) for start, end, rank in self.places)


@dataclass
class Engine:
    """A bound text mask. ``rules`` gives label and matcher by rank; ``limit`` is the column's length in characters."""

    place: str
    names: RowNames
    finders: Sequence[Finder]
    rules: Sequence[tuple[str, str]]
    maskers: Mapping[str, LabelMasker]
    fallback: Chain | None
    on_nothing: str
    nothing: Chain | None
    limit: int | None = None
    explain: bool = False
    report: TextReport = field(default_factory=TextReport)

    def run(self, texts: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> list[Outcome]:
        """Mask texts, none of them null or empty. Raises MaskError for a text that cannot be masked and has no fallback."""
        made: list[Outcome] = []
        for start, end in _pieces(texts):
            part = Batch(texts[start:end], {name: values[start:end] for name, values in rows.items()})
            made += self._batch(part)
        return made

    def _batch(self, batch: Batch) -> list[Outcome]:
        hits, failed, founds = self._found(batch)
        merged = [[] if i in failed else merge(h) for i, h in enumerate(hits)]
        lemmas = {place: lemma for found in founds for place, lemma in found.lemmas.items()}
        outputs = self._masked(batch, merged, failed, lemmas)
        made = []
        for i, output in enumerate(outputs):
            if i in failed:
                outcome = Outcome(self._fall_back(batch, i, failed[i]), failed=failed[i])
            elif not merged[i]:
                outcome = Outcome(self._nothing(batch, i))
            elif self.limit is not None and len(output) > self.limit:
                why = f"the masked text is longer than the column's {self.limit} characters"
                outcome = Outcome(self._fall_back(batch, i, why), failed=why)
            else:
                outcome = Outcome(output, merged[i], self.rules)
            if self.explain:
                self._explain(outcome, i, hits[i], founds)
            made.append(outcome)
        nothing = [i for i, outcome in enumerate(made) if not outcome.places and not outcome.failed]
        self.report.name(lambda: (self._row(batch, i) for i in nothing))
        self.report.count(made)
        return made

    def _row(self, batch: Batch, index: int) -> str:
        return self.names.of(batch.rows, index, self.report.texts)

    # -- finding -------------------------------------------------------------------------------------------------

    def _found(self, batch: Batch) -> tuple[list[list[Hit]], dict[int, str], list[Found]]:
        hits: list[list[Hit]] = [[] for _ in batch.texts]
        failed: dict[int, str] = {}
        founds = []
        for finder in self.finders:
            found = self._find(finder, batch)
            founds.append(found)
            self.report.dropped += found.dropped
            for index, start, negative, rank in found.hits:
                hits[index].append((start, negative, rank))
            for index, reason in found.failed.items():
                failed.setdefault(index, reason)
        return hits, failed, founds

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
                whole.failed[i] = f"{finder.name} failed: {_reason(error)}"
                continue
            whole.hits += [(i, *hit[1:]) for hit in found.hits]
            whole.rejected += [(i, *item[1:]) for item in found.rejected]
            whole.lemmas.update({(i, start, end): lemma for (_, start, end), lemma in found.lemmas.items()})
            if found.failed:
                whole.failed[i] = found.failed[0]
        return whole

    # -- masking -------------------------------------------------------------------------------------------------

    def _masked(
        self, batch: Batch, merged: list[list[_Place]], failed: dict[int, str], lemmas: Mapping[_Place, str]
    ) -> list[str]:
        wanted: dict[str, list[Entity]] = {}
        for i, spans in enumerate(merged):
            if spans:
                self._entities(batch.texts[i], i, spans, wanted, lemmas)
        made: dict[str, Iterator[str | None]] = {
            label: iter(self._apply(self.maskers[label], entities, batch, failed)) for label, entities in wanted.items()
        }
        rules = self.rules
        outputs = []
        for text, spans in zip(batch.texts, merged, strict=True):
            parts, at = [], 0
            for start, end, rank in spans:
                parts.append(text[at:start])
                parts.append(next(made[rules[rank][0]]) or "")
                at = end
            parts.append(text[at:])
            outputs.append("".join(parts) if spans else text)
        return outputs

    def _entities(
        self,
        text: str,
        row: int,
        spans: list[_Place],
        wanted: dict[str, list[Entity]],
        lemmas: Mapping[_Place, str],
    ) -> None:
        rules = self.rules
        beside: dict[str, list[str]] = {}
        for start, end, rank in spans:
            label = rules[rank][0]
            entity = text[start:end]
            beside.setdefault(label, []).append(entity)
            lemma = lemmas.get((row, start, end), "") if lemmas else ""
            wanted.setdefault(label, []).append(Entity(entity, row, beside, lemma))

    def _apply(
        self, masker: LabelMasker, entities: list[Entity], batch: Batch, failed: dict[int, str]
    ) -> list[str | None]:
        try:
            return list(masker.apply(entities, batch.rows))
        except Exception:
            # As with matchers: only the texts whose own entity cannot be masked are replaced.
            made: list[str | None] = []
            for entity in entities:
                try:
                    made += masker.apply([entity], batch.rows)
                except Exception as error:
                    failed.setdefault(entity.row, f"the masks of {masker.label} failed: {_reason(error)}")
                    made.append(None)
            return made

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
            raise MaskError(f"{where}: the fallback masks failed: {_reason(error)}") from None
        if self.limit is not None and len(made) > self.limit:
            raise MaskError(f"{self.place}: the fallback is longer than the column's {self.limit} characters")
        return made

    def _explain(self, outcome: Outcome, index: int, hits: list[Hit], founds: list[Found]) -> None:
        parts = sorted(hits)
        outcome.parts = tuple(
            tuple(
                Span(start, -negative, *self.rules[rank])
                for start, negative, rank in parts
                if span.start <= start < span.end
            )
            for span in outcome.spans
        )
        outcome.rejected = tuple(
            (Span(start, -negative, *self.rules[rank]), why)
            for found in founds
            for at, start, negative, rank, why in found.rejected
            if at == index
        )


def _reason(error: Exception) -> str:
    """What may be said of an error: our own messages hold no content; of others only the type is shown."""
    return str(error) if isinstance(error, DbmaskError) else type(error).__name__


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
