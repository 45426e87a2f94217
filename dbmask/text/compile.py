"""From a text mask's configuration to an engine on its columns: lists read, patterns compiled, masks bound.

Everything that can be wrong is found here, before any row is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns, nearest
from dbmask.text.batch import Finder
from dbmask.text.beside import beside
from dbmask.text.config import Checksum, LabelMasks, Matchers
from dbmask.text.context import ContextFinder
from dbmask.text.engine import Engine
from dbmask.text.filters import Filters
from dbmask.text.labels import ENTITY, Chain, LabelMasker, bind_chain, with_target
from dbmask.text.regexes import Locator, PatternFinder, regex_locator
from dbmask.text.rows import RowNames
from dbmask.text.seeds import read_seed
from dbmask.text.steps import MaskStep
from dbmask.text.words import SeedFinder

if TYPE_CHECKING:
    from dbmask.text.mask import Text

__all__ = ["Compiled", "compile_text"]


@dataclass
class Compiled:
    """An engine and what it reads and says. ``inputs`` are columns beside the text; ``notes`` go to the plan as warnings."""

    engine: Engine
    inputs: tuple[str, ...]
    notes: tuple[str, ...]
    keyed: bool
    value_only: bool


@dataclass
class _Build:
    mask: Text
    columns: Columns
    keys: KeyRing
    ai: Any
    notes: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)

    def finders(self) -> list[Finder]:
        """One finder for each matcher that has rules, in the order of rank."""
        matchers = self.mask.matchers
        ranks = {id(rule): rank for rank, rule in enumerate(matchers.rules())}
        made: list[Finder] = []
        if matchers.context_sources:
            sources = []
            for rule in matchers.context_sources:
                read = beside(rule.column, self.columns, f"{rule.label}: column")
                self.context.append(read.column)
                sources.append((ranks[id(rule)], rule, read))
            made.append(ContextFinder(sources))
        if matchers.seed_files:
            seeds = []
            for seed in matchers.seed_files:
                words, note = read_seed(seed.seed_file, seed.seed_column)
                self.notes += [note] if note else []
                seeds.append((ranks[id(seed)], seed, words))
            made.append(SeedFinder(seeds))
        if matchers.ai_detect:
            made.append(self._ai(matchers, ranks))
        if matchers.ner:
            from dbmask.text.entities import EntityFinder

            made.append(EntityFinder([(ranks[id(rule)], rule) for rule in matchers.ner]))
        if matchers.checksum:
            made.append(self._gated("checksum", matchers.checksum, ranks, _checksum))
        if matchers.regex:
            made.append(self._gated("regex", matchers.regex, ranks, regex_locator))
        return made

    def _ai(self, matchers: Matchers, ranks: dict[int, int]) -> Finder:
        from dbmask.text.ai.finder import ai_finder

        rules = [(ranks[id(rule)], rule) for rule in matchers.ai_detect]
        finder, notes = ai_finder(rules, self.mask.ai, self.ai, self.keys, self.columns)
        self.notes += notes
        return finder

    def _gated(
        self, name: str, rules: Sequence[Any], ranks: dict[int, int], locator: Callable[[Any], Locator]
    ) -> PatternFinder:
        return PatternFinder(name, [(ranks[id(r)], Filters(r.context_filters), locator(r)) for r in rules])

    def maskers(self) -> dict[str, LabelMasker]:
        """The bound masks of each label that a matcher gives."""
        wanted = {rule.label for rule in self.mask.matchers.rules()}
        made = {}
        for item in self.mask.masks:
            if item.label not in wanted:
                self.notes.append(f"no matcher gives the label {item.label}, so its masks are not used")
                continue
            made[item.label] = self._masker(item)
        for masker in made.values():
            for label in masker.labels:
                if label not in wanted:
                    hint = nearest(label, sorted(wanted))
                    raise BindError(
                        f"{masker.label}: hash_sources names the label {label}, which no matcher gives", hint
                    )
        return made

    def _masker(self, item: LabelMasks) -> LabelMasker:
        sources = self.mask.sources if item.hash_sources is None else item.hash_sources
        random = item.random or self.mask.random
        return LabelMasker(item.label, item.masks, sources, random, self.columns, self.keys)

    def whole(self, steps: Sequence[MaskStep]) -> Chain:
        """Masks of the whole text, on the column as it is."""
        free = replace(self.columns.target, type=replace(ENTITY, length=self.columns.target.type.length))
        return bind_chain(steps, with_target(self.columns, free), [self.keys] * len(steps))


def compile_text(mask: Text, columns: Columns, keys: KeyRing, ai: Any = None) -> Compiled:
    """The engine of ``mask`` on ``columns``. Raises BindError, UsageError and KeySourceError."""
    build = _Build(mask, columns, keys, ai)
    finders = build.finders()
    maskers = build.maskers()
    fallback = build.whole(mask.fallback_masks) if mask.fallback_masks else None
    redacting = mask.on_nothing == "redact"
    nothing = (fallback or build.whole([MaskStep(mask.redaction())])) if redacting else None
    names = RowNames(columns, keys)
    engine = Engine(
        place=f"{columns.table}.{columns.target.name}" if columns.table else columns.target.name,
        names=names,
        finders=finders,
        rules=[(rule.label, rule.matcher) for rule in mask.matchers.rules()],
        reasons=[rule.why for rule in mask.matchers.rules()],
        maskers=maskers,
        fallback=fallback,
        on_nothing=mask.on_nothing,
        nothing=nothing,
        limit=columns.target.type.length,
    )
    read = [name for m in maskers.values() for name in m.inputs]
    others = [name for chain in (fallback, nothing) if chain for name in chain.others]
    chains = [c for c in (fallback, nothing) if c]
    columns_beside = tuple(dict.fromkeys([*build.context, *read, *others]))
    inputs = tuple(dict.fromkeys([*columns_beside, *names.columns]))
    return Compiled(
        engine,
        inputs,
        tuple(build.notes),
        keyed=any(m.keyed for m in maskers.values()) or any(b.promises.keyed for c in chains for b in c.bounds),
        value_only=not columns_beside
        and not any(m.draws_afresh for m in maskers.values())
        and not mask.matchers.ai_detect,
    )


def _checksum(rule: Checksum) -> Locator:
    from dbmask.text.checksums import ChecksumLocator

    return ChecksumLocator(rule)
