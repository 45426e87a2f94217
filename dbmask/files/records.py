"""Records (nested dicts) through rules, a batch at a time: values are gathered field by field, masked together, put back.

Paths walk objects and lists. A rule ``a.b`` masks a field called ``a.b`` as well as ``b`` within ``a``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.errors import MaskError
from dbmask.files.binding import RuleBound
from dbmask.files.rules import Rule
from dbmask.keys import KeyRing

__all__ = ["RecordMasker", "missing_rules"]

_SHAPES = 10_000

Place = Callable[[int], str]
"""Where record ``i`` of a batch stands, for messages."""


@dataclass
class _Node:
    """The rules that stand at one depth of a record: by field name, the rule that ends there and what goes on below."""

    ends: dict[str, int] = field(default_factory=dict)
    below: dict[str, _Node] = field(default_factory=dict)
    seen: set[tuple[str, ...]] = field(default_factory=set)


def _tree(rules: Sequence[Rule]) -> _Node:
    known: dict[frozenset[tuple[int, int]], _Node] = {}
    parts = [rule.path.split(".") for rule in rules]

    def node(open_: frozenset[tuple[int, int]]) -> _Node:
        if open_ in known:
            return known[open_]
        made = known[open_] = _Node()
        below: dict[str, set[tuple[int, int]]] = {}
        for number, start in open_:
            for end in range(start + 1, len(parts[number]) + 1):
                name = ".".join(parts[number][start:end])
                if end == len(parts[number]):
                    made.ends[name] = number
                else:
                    below.setdefault(name, set()).add((number, end))
        made.below = {name: node(frozenset(rest)) for name, rest in below.items()}
        return made

    return node(frozenset((i, 0) for i in range(len(rules))))


def missing_rules(rules: Sequence[Rule], matched: set[int]) -> MaskError | None:
    """The error for rules that matched no field, or None. Rules within a dropped field count as matched."""
    dropped = [rule.path for i, rule in enumerate(rules) if i in matched and rule.drops]
    lost = [
        rule
        for i, rule in enumerate(rules)
        if i not in matched and not any(rule.path.startswith(f"{path}.") for path in dropped)
    ]
    if not lost:
        return None
    listed = ", ".join(rule.path for rule in lost)
    what = "a rule matched no field" if len(lost) == 1 else f"{len(lost)} rules matched no field"
    return MaskError(f"{what}: {listed} (correct the path, or allow it with --allow-missing or allow_missing=True)")


class RecordMasker:
    """Rules bound to keys, with what has been met so far.

    ``unruled`` lists the fields that passed without a rule; ``only_default`` the generalized ones of which no value could be.
    Raises UsageError where a mask cannot stand in a record.
    """

    def __init__(self, rules: Sequence[Rule], keys: KeyRing | None = None, strict: bool = False) -> None:
        self.rules = tuple(rules)
        self.strict = strict
        self.matched: set[int] = set()
        self.unruled: dict[str, None] = {}
        self.records = 0
        ring = KeyRing(None) if keys is None else keys
        self._bound = [RuleBound(rule, ring) for rule in rules]
        self._root = _tree(rules)
        self._varied: set[int] = set()
        self._values: set[int] = set()

    def mask(self, records: Sequence[Any], place: Place) -> list[dict[str, Any]]:
        """Masked copies of the records. Raises MaskError naming place and field, never a value."""
        found: dict[int, list[tuple[Any, Any, int]]] = {}
        made = []
        for i, record in enumerate(records):
            if not isinstance(record, dict):
                raise MaskError(f"{place(i)}: is no record: expected an object of fields")
            made.append(self._walk(record, self._root, "", i, found, place))
        for number, leaves in found.items():
            self._apply(number, leaves, place)
        self.records += len(made)
        return made

    def finish(self, allow_missing: bool = False) -> None:
        """Raise MaskError where a rule matched no field of any record."""
        error = None if allow_missing or not self.records else missing_rules(self.rules, self.matched)
        if error is not None:
            raise error

    @property
    def only_default(self) -> list[Rule]:
        """Rules under which every value became the default."""
        return [self.rules[i] for i in sorted(self._values - self._varied)]

    @property
    def found(self) -> dict[str, Any]:
        """What masks of texts found, by field."""
        reports = {bound.rule.path: bound.report for bound in self._bound}
        return {path: report.as_dict() for path, report in reports.items() if report is not None}

    def _walk(
        self, record: dict[str, Any], node: _Node, above: str, at: int, found: dict[int, Any], place: Place
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        names = tuple(record)
        if names not in node.seen:
            self._new_shape(names, node, above, at, place)
        for name, value in record.items():
            number = node.ends.get(name)
            below = node.below.get(name)
            if number is not None:
                self.matched.add(number)
                if self.rules[number].drops:
                    continue
                if not self.rules[number].keeps:
                    found.setdefault(number, []).append((made, name, at))
            if below is not None and isinstance(value, dict | list):
                value = self._inside(value, below, f"{above}{name}.", at, found, place)
            made[name] = value
        return made

    def _inside(self, value: Any, node: _Node, above: str, at: int, found: dict[int, Any], place: Place) -> Any:
        if isinstance(value, dict):
            return self._walk(value, node, above, at, found, place)
        if isinstance(value, list):
            return [self._inside(v, node, above, at, found, place) for v in value]
        return value

    def _new_shape(self, names: tuple[str, ...], node: _Node, above: str, at: int, place: Place) -> None:
        if len(node.seen) < _SHAPES:  # records whose keys are data must not fill the memory
            node.seen.add(names)
        for name in names:
            if not isinstance(name, str):
                raise MaskError(f"{place(at)}: a field's name is no text")
            if name not in node.ends and name not in node.below:
                if self.strict:
                    raise MaskError(f"{place(at)}: field {above + name!r} has no rule, and --strict asks for one each")
                if len(self.unruled) < _SHAPES:
                    self.unruled[above + name] = None

    def _apply(self, number: int, leaves: list[tuple[Any, Any, int]], place: Place) -> None:
        bound = self._bound[number]
        values = [made[name] for made, name, _ in leaves]
        try:
            masked = bound.apply(values)
        except MaskError:
            raise self._located(bound, values, leaves, place) from None
        for (made, name, _), value in zip(leaves, masked, strict=True):
            made[name] = value
        default = bound.rule.default
        if default is not None and number not in self._varied:
            there = [m for m in masked if m is not None]
            if there:
                self._values.add(number)
            if any(m != default for m in there):
                self._varied.add(number)

    def _located(
        self, bound: RuleBound, values: list[Any], leaves: Iterable[tuple[Any, Any, int]], place: Place
    ) -> MaskError:
        """The error of a batch, said of the first record that has it."""
        for value, (_, _, at) in zip(values, leaves, strict=True):
            try:
                bound.apply([value])
            except MaskError:
                return MaskError(f"{place(at)}: field {bound.rule.path!r}: {bound.refusal}")
        return MaskError(f"field {bound.rule.path!r}: {bound.refusal}")
