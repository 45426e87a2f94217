"""json: masks on places inside JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dbmask.errors import BindError, DbmaskError, MaskError
from dbmask.keys import KeyRing
from dbmask.masks._jsonpath import JsonPath, Place
from dbmask.masks._parts import inputs_of
from dbmask.masks._reports import Reporting
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import InnerMask
from dbmask.schema import ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Json"]

_JSON = ColumnType(Kind.JSON, "jsonb")
_LEAVES = {
    str: ColumnType(Kind.TEXT, "a JSON string"),
    bool: ColumnType(Kind.BOOLEAN, "a JSON boolean"),
    int: ColumnType(Kind.INTEGER, "a JSON integer", bits=64),
    Decimal: ColumnType(Kind.DECIMAL, "a JSON number"),
    dict: ColumnType(Kind.JSON, "a JSON object"),
    list: ColumnType(Kind.JSON, "a JSON array"),
}
_Parts = dict[type, Bound]


@dataclass(frozen=True, kw_only=True)
class Json(Mask):
    """Masks on the places that JSONPaths lead to; the rest of the document stays, or goes through the mask ``rest``.

    ``paths`` are of a subset: ``$.a.b``, ``['quoted name']``, ``[0]``, ``[*]``, ``.*`` and ``..name``. Numbers keep their
    digits. A mask that is for text gives text for numbers too; ``drop`` removes a place. ``on_missing`` says what happens
    where a path without wildcards leads nowhere, ``on_null`` where it leads to null (``mask`` gives the null to the mask),
    ``on_invalid`` where the value is no JSON.
    """

    name: ClassVar[str] = "json"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            '{"id": 7, "name": "Jana", "price": 1.50}',
            '{"id": 7, "name": "****", "price": 1.50}',
            {"paths": {"$.name": "redact"}},
            _JSON,
        ),
        Case(
            '[{"mail": "a@b.cz"}, {"mail": null}, {}]',
            '[{"mail": "******"}, {"mail": null}, {}]',
            {"paths": {"$[*].mail": "redact"}},
            _JSON,
        ),
        Case('{"a": {"token": "x"}, "token": "y"}', '{"a": {}}', {"paths": {"$..token": "drop"}}, _JSON),
        Case(
            '{"id": 7, "note": "x"}',
            '{"id": 7, "note": "-"}',
            {"paths": {"$.id": "keep"}, "rest": {"mask": "fixed", "value": "-"}},
            _JSON,
        ),
        Case(None, None, {"paths": {"$.name": "redact"}}, _JSON),
    )

    paths: Annotated[Mapping[str, InnerMask], Field(min_length=1)]
    rest: InnerMask | None = None
    on_missing: Literal["skip", "error"] = "skip"
    on_null: Literal["keep", "mask", "error"] = "keep"
    on_invalid: Literal["error", "null"] = "error"

    def __post_init__(self) -> None:
        for path in self.paths:
            JsonPath.parse(path)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit JSON and text columns. Raises BindError on others, and where a mask fits no JSON value."""
        type_ = columns.target.type
        if type_.kind not in (Kind.JSON, Kind.TEXT):
            raise BindError(f"json masks JSON, and the column is {type_}", "it must be a JSON or text column")
        parts = [(JsonPath.parse(path), _bind(mask, columns, keys, path)) for path, mask in self.paths.items()]
        rest = None if self.rest is None else _bind(self.rest, columns, keys, "rest")
        every = [b for part in (*(p for _, p in parts), rest or {}) for b in part.values()]
        promises = Promises(
            type=type_,
            value_only=all(b.promises.value_only for b in every),
            total=False,
            keyed=any(b.promises.keyed for b in every),
            warnings=tuple(dict.fromkeys(w for b in every for w in b.promises.warnings)),
        )
        label = f"{columns.table}.{columns.target.name}: {self.name}"
        return _JsonBound(self, columns.target.name, tuple(parts), rest, promises, tuple(every), label)


def _bind(mask: Mask, columns: Columns, keys: KeyRing, path: str) -> _Parts:
    """The mask bound to each type of JSON value that it fits. Raises BindError where it fits none."""
    made: _Parts = {}
    error: BindError | None = None
    for kind, type_ in _LEAVES.items():
        try:
            bound = mask.bind(columns.retyped(type_), keys)
        except BindError as caught:
            error = error or caught
            continue
        if bound.outputs not in ((), (columns.target.name,)):
            raise BindError(f"{mask.name} cannot stand inside json", "it does not give one value for one value")
        if getattr(bound, "whole_column", False):
            raise BindError(f"{mask.name} cannot stand inside json", "it needs the whole column")
        made[kind] = bound
    if not made and error is not None:
        raise BindError(f"{path}: {error.what}", error.hint)
    return made


@dataclass(frozen=True)
class _JsonBound(Reporting):
    mask: Json
    target: str
    parts: tuple[tuple[JsonPath, _Parts], ...]
    rest: _Parts | None
    promises: Promises
    every: tuple[Bound, ...]
    label: str

    def within(self) -> Sequence[Bound]:
        return self.every

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self.target, self.every)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        return None

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Gather the places of all documents, and mask those of one path and type in one go."""
        try:
            return [self._masked(dict(zip(self.inputs, columns, strict=True)))]
        except DbmaskError:
            raise
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise MaskError(f"{self.label}: a value could not be masked ({type(error).__name__})") from None

    def _masked(self, named: dict[str, list[Any]]) -> list[Any]:
        texts = named[self.target]
        documents = [None if v is None else self._read(v) for v in texts]
        filled = [(row, d) for row, d in enumerate(documents) if d is not None]
        found = [[(row, place) for row, d in filled for place in self._places(path, d)] for path, _ in self.parts]
        if self.rest is not None:
            seen = {(id(container), key) for places in found for _, (container, key) in places}
            left = [(row, place) for row, d in filled for place in _leaves(d, 0, seen)]
            self._apply(self.rest, left, named)
        # What is dropped goes last: until then every place is where it was found.
        dropped = [
            p for (_, part), places in zip(self.parts, found, strict=True) for p in self._apply(part, places, named)
        ]
        _remove(dropped)
        return [
            None if d is None or d == [_INVALID] else _as_given(d, given)
            for d, given in zip(documents, texts, strict=True)
        ]

    def _read(self, value: Any) -> list[Any]:
        """The document, in a list of its own; parsed anew where it is not text, so that nothing is shared."""
        text = value if isinstance(value, str | bytes) else json.dumps(value)
        try:
            return [json.loads(text, parse_float=Decimal, parse_constant=_refuse)]
        except ValueError:
            if self.mask.on_invalid == "null":
                return [_INVALID]
            raise

    def _places(self, path: JsonPath, document: list[Any]) -> list[Place]:
        if document == [_INVALID]:
            return []
        found = path.find(document)
        if not found and path.definite and self.mask.on_missing == "error":
            raise MaskError(f"{self.label}: a path leads nowhere in a document, and on_missing is error")
        nulls = [p for p in found if p[0][p[1]] is None]
        if nulls and self.mask.on_null == "error":
            raise MaskError(f"{self.label}: a path leads to null in a document, and on_null is error")
        return found if self.mask.on_null == "mask" else [p for p in found if p[0][p[1]] is not None]

    def _apply(self, part: _Parts, found: Sequence[tuple[int, Place]], named: dict[str, list[Any]]) -> list[Place]:
        """Mask the places; returns those that are to be dropped."""
        groups: dict[type, list[tuple[int, Place]]] = {}
        for row, (container, key) in found:
            groups.setdefault(_kind(container[key], part), []).append((row, (container, key)))
        dropped: list[Place] = []
        for kind, places in groups.items():
            bound = part.get(kind)
            if bound is None:
                raise MaskError(f"{self.label}: a path leads to {_LEAVES[kind]}, which its mask is not for")
            if not bound.outputs:
                dropped += [place for _, place in places]
                continue
            values = [_as_text(c[k]) if kind is str else c[k] for _, (c, k) in places]
            others = [[named[name][row] for row, _ in places] for name in bound.inputs[1:]]
            for (_, (container, key)), made in zip(places, bound.apply([values, *others])[0], strict=True):
                container[key] = made
        return dropped


class _Invalid:
    """What stands for a text that is no JSON."""


_INVALID = _Invalid()


def _refuse(constant: str) -> Any:
    raise ValueError("JSON has no NaN or infinity")


def _kind(value: Any, part: _Parts) -> type:
    """The type by which a value is masked: its own, or text where the mask is for text only."""
    kind = str if value is None else type(value)
    if kind not in part and kind in (bool, int, Decimal):
        return Decimal if kind is int and Decimal in part else str
    return kind


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else dump(value)


def _remove(places: Sequence[Place]) -> None:
    """Later elements of a list first, so that the places of earlier ones hold; a place that two paths lead to, once."""
    once = {(id(container), key): (container, key) for container, key in places}
    for container, _ in places:
        if isinstance(container, list):
            for at in sorted((k for c, k in once.values() if c is container), reverse=True):
                del container[at]
                del once[id(container), at]
    for container, key in once.values():
        del container[key]


def _leaves(container: Any, key: Any, seen: set[tuple[int, Any]]) -> list[Place]:
    """The places of values that are no containers, under a place, but for what has been seen."""
    if (id(container), key) in seen:
        return []
    value = container[key]
    if isinstance(value, dict | list):
        return [p for at in (value if isinstance(value, dict) else range(len(value))) for p in _leaves(value, at, seen)]
    return [] if value is None else [(container, key)]


def _as_given(document: list[Any], given: Any) -> Any:
    """Text for text; for what the driver had parsed, the same kinds of object."""
    if not document:
        return None
    text = dump(document[0])
    if isinstance(given, bytes):
        return text.encode()
    return text if isinstance(given, str) else json.loads(text)


def dump(value: Any) -> str:
    """JSON text that keeps a number's digits. Raises TypeError for what JSON does not have."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("JSON has no NaN or infinity")
        return str(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
