"""The masks of one label, bound: entities in, masked entities out, drawn from what the label's hash sources say."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

from dbmask.errors import BindError, MaskError
from dbmask.keys import KeyRing
from dbmask.masks._rows import text_of
from dbmask.masks._sources import Material, SourcedRing, column_material
from dbmask.masks.base import Bound, Columns
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text.config import HashSource
from dbmask.text.czech import declined_like
from dbmask.text.steps import MaskStep
from dbmask_sql.canonical import canonical_text

__all__ = ["ENTITY", "Chain", "Entities", "LabelMasker", "bind_chain", "with_target"]

_REMEMBERED = 50_000
"""So many entities of a label are kept with their masks."""

ENTITY = ColumnType(Kind.TEXT, "text")
"""What a mask of a label stands on: a text of any length."""


@dataclass
class Entities:
    """Entities of one label in a batch, in order. ``rows``: the place of each one's text in the batch, looked up when asked for.

    ``lemmas``: the value of which a text is an inflected form, where that is so; it is masked, and the mask inflected.
    ``beside``: by place, the entities of every label in the same text; filled where a hash source asks for them.
    """

    values: list[str] = field(default_factory=list)
    lemmas: list[str] = field(default_factory=list)
    beside: Sequence[Mapping[str, Sequence[str]]] = ()
    find_rows: Callable[[], list[int]] = list

    @cached_property
    def rows(self) -> list[int]:
        """By entity, the place of its text."""
        return self.find_rows()

    def one(self, at: int) -> Entities:
        """One of them alone."""
        row = self.rows[at]
        return Entities([self.values[at]], self.lemmas[at : at + 1], self.beside, lambda: [row])

    @property
    def originals(self) -> list[str]:
        """What is masked."""
        if not self.lemmas:
            return self.values
        return [lemma or value for lemma, value in zip(self.lemmas, self.values, strict=True)]


@dataclass(frozen=True)
class Chain:
    """Bound masks, one after the other. ``others`` are the columns that they read beside the value.

    ``value_only`` says that a value is all that a result depends on.
    """

    bounds: tuple[Bound, ...]
    others: tuple[str, ...]
    target: str
    to_text: Any
    value_only: bool

    def apply(self, values: list[Any], rows: Mapping[str, Sequence[Any]], at: Sequence[int]) -> list[str]:
        """Mask values; ``at`` gives the row of each. Raises MaskError, also where a mask returns null."""
        columns = {name: [rows[name][i] for i in at] for name in self.others}
        for bound in self.bounds:
            values = bound.apply([values if name == self.target else columns[name] for name in bound.inputs])[0]
        if None in values:
            raise MaskError("a mask returned null for a part of a text")
        return [v if type(v) is str else self.to_text(v) for v in values]


def bind_chain(steps: Sequence[MaskStep], columns: Columns, rings: Sequence[KeyRing]) -> Chain:
    """Bind steps one after the other, each with its keys. Raises BindError."""
    target = columns.target.name
    bounds: list[Bound] = []
    for step, ring in zip(steps, rings, strict=True):
        bound = step.mask.bind(columns, ring)
        if tuple(bound.outputs) != (target,) or step.mask.name == "null":
            raise BindError(f"{step.mask.name} gives no text, so it cannot mask a part of one")
        bounds.append(bound)
        columns = columns.retyped(bound.promises.type)
    others = tuple(dict.fromkeys(n for b in bounds for n in b.inputs if n != target))
    final = columns.target.type
    value_only = not others and all(b.promises.value_only for b in bounds)
    return Chain(tuple(bounds), others, target, canonical_text(final.kind, final.padded), value_only)


class LabelMasker:
    """Masks the entities of one label. Raises BindError where its masks do not fit a text or its sources."""

    def __init__(
        self,
        label: str,
        steps: Sequence[MaskStep],
        sources: Sequence[HashSource],
        random: bool,
        columns: Columns,
        keys: KeyRing,
    ) -> None:
        self.label = label
        self.sources = tuple(sources)
        self._steps = tuple(steps)
        self._columns = _entity_columns(columns)
        self._keys = keys
        self.draws_afresh = random or any(s.random for s in steps)
        with_self = any(s.self is not None for s in sources)
        self._sourced = self.draws_afresh or not (with_self and len(self.sources) == 1)
        self._material = Material(with_self and not random)
        self._afresh = Material(with_self=True)
        self._random = random
        self._known: dict[str, str] = {}
        for source in sources:
            if source.column is not None:
                columns.other(source.column, "hash_sources")
        self._chain = self._bind()
        if self._sourced and not with_self and not random:
            self._check_depends_on_sources_alone()

    def _check_depends_on_sources_alone(self) -> None:
        """A permutation of values cannot leave the value out: two entities of one form would not mask alike."""
        for bound, step in zip(self._chain.bounds, self._steps, strict=True):
            if bound.promises.injective and bound.promises.keyed and bound.inputs == bound.outputs:
                made = []
                for probe in ("Abcd-1234", "Efgh-5678"):
                    self._material.use(b"probe")
                    made.append(bound.apply([[probe]])[0][0])
                if made[0] != made[1]:
                    raise BindError(
                        f"{self.label}: {step.mask.name} gives every value a result of its own, so it cannot depend on others alone",
                        "add `{self: entity}` to hash_sources",
                    )

    @property
    def keyed(self) -> bool:
        """Whether any mask draws from the key."""
        return any(b.promises.keyed for b in self._chain.bounds)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that masks and sources read."""
        named = (s.column for s in self.sources if s.column is not None)
        return tuple(dict.fromkeys([*self._chain.others, *named]))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that sources read."""
        return tuple(s.label for s in self.sources if s.label is not None)

    def apply(self, entities: Entities, rows: Mapping[str, Sequence[Any]]) -> list[str]:
        """Mask entities in order. Raises MaskError."""
        made = self._sourced_values(entities, rows) if self._sourced else self._plain_values(entities, rows)
        for i, lemma in enumerate(entities.lemmas):
            if lemma:
                made[i] = declined_like(entities.values[i], lemma, made[i])
        return made

    def _plain_values(self, entities: Entities, rows: Mapping[str, Sequence[Any]]) -> list[str]:
        chain, values = self._chain, entities.originals
        if not chain.value_only:
            return chain.apply(values, rows, entities.rows)
        # Names and the like come again and again: each is masked once.
        known = self._known
        made = list(map(known.get, values))
        if None not in made:
            return cast("list[str]", made)
        if len(known) > _REMEMBERED:
            known.clear()
        fresh = [value for value in dict.fromkeys(values) if value not in known]
        known.update(zip(fresh, chain.apply(fresh, rows, ()), strict=True))
        return [known[value] for value in values]

    def _sourced_values(self, entities: Entities, rows: Mapping[str, Sequence[Any]]) -> list[str]:
        made = []
        for value, row in zip(entities.originals, entities.rows, strict=True):
            beside = entities.beside[row] if entities.beside else {}
            self._material.use(b"" if self._random else self._material_of(value, row, beside, rows))
            self._afresh.use(secrets.token_bytes(16))
            if self._material.bound or self._afresh.bound:
                self._chain = self._bind()
            made += self._chain.apply([value], rows, [row])
        return made

    def _bind(self) -> Chain:
        if not self._sourced:
            return bind_chain(self._steps, self._columns, [self._keys] * len(self._steps))
        material, afresh = SourcedRing(self._keys, self._material), SourcedRing(self._keys, self._afresh)
        rings = [afresh if self._random or s.random else material for s in self._steps]
        return bind_chain(self._steps, self._columns, rings)

    def _material_of(
        self, value: str, row: int, beside: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[Any]]
    ) -> bytes:
        """The material of all sources but the entity itself. What is not there leaves the entity to stand for it."""
        texts: list[str | None] = []
        for source in self.sources:
            if source.label is not None:
                texts.append("\0".join(sorted(set(beside.get(source.label, ())))))
            elif source.column is not None:
                column = self._columns.other(source.column, "hash_sources")
                texts.append(text_of(column)(rows[source.column][row]))
        return column_material(texts, value)


def _entity_columns(columns: Columns) -> Columns:
    return with_target(columns, Column(columns.target.name, ENTITY))


def with_target(columns: Columns, target: Column) -> Columns:
    """The same table with another column in the target's place."""
    available: Any = copy(columns.available)  # a dict, or one that knows any name
    available[target.name] = target
    return replace(columns, targets=(target,), available=available)
