"""From spans to masked texts: entities gathered by label, masked together, and put back in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dbmask.errors import DbmaskError
from dbmask.text.batch import Batch
from dbmask.text.labels import Entities, LabelMasker
from dbmask.text.spans import Place

__all__ = ["assembled", "reason"]


def assembled(
    batch: Batch,
    merged: Sequence[Sequence[Place]],
    labels: Sequence[str],
    maskers: Mapping[str, LabelMasker],
    lemmas: Mapping[tuple[int, int, int], str],
    failed: dict[int, str],
) -> list[str]:
    """The texts of a batch, masked. ``labels`` are by rank; texts whose entities cannot be masked are added to ``failed``."""
    gathered = {label: Entities() for label in maskers}
    by_rank = [gathered.get(label) for label in labels]
    for i, spans in enumerate(merged):
        if spans:
            text = batch.texts[i]
            for start, end, rank in spans:
                entities = by_rank[rank]
                if entities is not None:
                    entities.values.append(text[start:end])
                    entities.rows.append(i)
    if lemmas:
        _add_lemmas(merged, by_rank, lemmas)
    if any(masker.labels for masker in maskers.values()):
        beside = [_by_label(batch.texts[i], spans, labels) for i, spans in enumerate(merged)]
        for entities in gathered.values():
            entities.beside = beside
    made = {label: iter(_masked(maskers[label], e, batch, failed)) for label, e in gathered.items() if e.values}
    return _put_back(batch.texts, merged, [made.get(label, iter(())) for label in labels])


def _add_lemmas(
    merged: Sequence[Sequence[Place]],
    by_rank: Sequence[Entities | None],
    lemmas: Mapping[tuple[int, int, int], str],
) -> None:
    for i, spans in enumerate(merged):
        for start, end, rank in spans:
            entities = by_rank[rank]
            if entities is not None:
                entities.lemmas.append(lemmas.get((i, start, end), ""))


def _by_label(text: str, spans: Sequence[Place], labels: Sequence[str]) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for start, end, rank in spans:
        made.setdefault(labels[rank], []).append(text[start:end])
    return made


def _masked(masker: LabelMasker, entities: Entities, batch: Batch, failed: dict[int, str]) -> list[str]:
    try:
        return masker.apply(entities, batch.rows)
    except Exception:
        # As with matchers: only the texts whose own entity cannot be masked are replaced.
        made: list[str] = []
        for at, row in enumerate(entities.rows):
            try:
                made += masker.apply(entities.one(at), batch.rows)
            except Exception as error:
                failed.setdefault(row, f"the masks of {masker.label} failed: {reason(error)}")
                made.append("")
        return made


def _put_back(texts: Sequence[str], merged: Sequence[Sequence[Place]], masked: Sequence[Iterator[str]]) -> list[str]:
    outputs = []
    for text, spans in zip(texts, merged, strict=True):
        if not spans:
            outputs.append(text)
            continue
        parts, at = [], 0
        for start, end, rank in spans:
            parts.append(text[at:start])
            parts.append(next(masked[rank]))
            at = end
        parts.append(text[at:])
        outputs.append("".join(parts))
    return outputs


def reason(error: Exception) -> str:
    """What may be said of an error: our own messages hold no content; of others only the type is shown."""
    return str(error) if isinstance(error, DbmaskError) else type(error).__name__
