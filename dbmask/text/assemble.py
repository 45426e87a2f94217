"""From spans to masked texts: entities gathered by label, masked together, and put back in their places."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, pairwise
from operator import add, sub

from dbmask.errors import DbmaskError
from dbmask.text.batch import Batch
from dbmask.text.labels import Entities, LabelMasker
from dbmask.text.spans import Place

__all__ = ["Masked", "assembled", "reason"]


@dataclass
class Masked:
    """The masked texts of a batch. ``firsts`` gives, by text, the index of its first place, and at last their number."""

    outputs: list[str]
    firsts: list[int]


def assembled(
    batch: Batch,
    places: Sequence[Place],
    labels: Sequence[str],
    maskers: Mapping[str, LabelMasker],
    lemmas: Mapping[tuple[int, int], str],
    failed: dict[int, str],
) -> Masked:
    """The texts of a batch, masked. ``labels`` are by rank; texts whose entities cannot be masked are added to ``failed``."""
    if not places:
        return Masked(list(batch.texts), [0] * len(batch.starts))
    starts, ends, ranks = zip(*places, strict=True)
    whole = batch.original
    values = [whole[start:end] for start, end in zip(starts, ends, strict=True)]
    gathered = {label: Entities() for label in maskers}
    appends = [gathered[label].values.append for label in labels]
    for rank, value in zip(ranks, values, strict=True):
        appends[rank](value)
    if lemmas:
        for start, end, rank in places:
            gathered[labels[rank]].lemmas.append(lemmas.get((start, end), ""))
    _look_around(batch, gathered, places, values, labels, maskers)
    made: dict[str, Iterator[str]] = {}
    for label, entities in gathered.items():
        if entities.values:
            made[label] = iter(_masked(maskers[label], entities, batch, failed))
    turns = [made.get(label, iter(())) for label in labels]
    masked = [next(turns[rank]) for rank in ranks]
    return _put_back(batch, starts, ends, values, masked)


def _look_around(
    batch: Batch,
    gathered: Mapping[str, Entities],
    places: Sequence[Place],
    values: Sequence[str],
    labels: Sequence[str],
    maskers: Mapping[str, LabelMasker],
) -> None:
    """Give entities what they read beside themselves: their rows, and entities of every label in the same text."""
    begins = batch.starts

    def row(place: Place) -> int:
        return bisect_right(begins, place[0]) - 1

    def rows_of(label: str) -> list[int]:
        return [row(place) for place in places if labels[place[2]] == label]

    for label, entities in gathered.items():
        # Made when they are asked for: most masks look at nothing but the entity.
        entities.find_rows = partial(rows_of, label)
    if any(masker.labels for masker in maskers.values()):
        beside: list[dict[str, list[str]]] = [{} for _ in batch.texts]
        for place, value in zip(places, values, strict=True):
            beside[row(place)].setdefault(labels[place[2]], []).append(value)
        for entities in gathered.values():
            entities.beside = beside


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


def _put_back(
    batch: Batch, starts: Sequence[int], ends: Sequence[int], values: Sequence[str], masked: Sequence[str]
) -> Masked:
    """Cut the joined texts at the places, put the masks in, and cut the whole where each text now begins."""
    whole = batch.original
    gaps = [whole[end:start] for end, start in zip((0, *ends), (*starts, None), strict=True)]
    output = "".join(chain.from_iterable(zip(gaps, masked, strict=False))) + gaps[-1]
    grown = [0, *accumulate(map(sub, map(len, masked), map(len, values)))]
    firsts = _firsts(starts, batch.starts)
    begins = list(map(add, batch.starts, (grown[first] for first in firsts)))
    return Masked([output[begin : end - 1] for begin, end in pairwise(begins)], firsts)


def _firsts(starts: Sequence[int], begins: Iterable[int]) -> list[int]:
    made, first = [], 0
    for begin in begins:
        first = bisect_left(starts, begin, first)
        made.append(first)
    return made


def reason(error: Exception) -> str:
    """What may be said of an error: our own messages hold no content; of others only the type is shown."""
    return str(error) if isinstance(error, DbmaskError) else type(error).__name__
