"""From what a policy says (``redact``, or ``{mask: redact, keep_end: 4}``) to a mask object, with every parameter checked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationInfo, WithJsonSchema

from dbmask.errors import PolicyError, Problem
from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Mask, nearest
from dbmask.registry import mask_class, mask_names

__all__ = [
    "BY_COLUMNS",
    "INNER_SCHEMA",
    "NAME_KEYS",
    "FileName",
    "InnerMask",
    "Spec",
    "build_mask",
    "example_keys",
    "inner_mask",
    "normalize",
]

Spec = str | Mapping[str, Any]
BY_COLUMNS = "hash_columns"
"""A parameter that every keyed mask takes: the columns of the row that it draws from, instead of from its value."""
NAME_KEYS = ("mask", "strategy", "type")
"""The keys under which a spec names its mask, the first one that is there."""


class _InnerError(ValueError):
    """What is wrong with an inner mask, on its way through pydantic."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("inner mask")
        self.problems = problems


def inner_mask(value: Any, info: ValidationInfo) -> Mask:
    """The validator of a parameter that is itself a mask. Its problems come out at their own places."""
    if isinstance(value, Mask):
        return value
    build: Callable[[Any], Mask] = (info.context or {}).get("build", build_mask)
    try:
        return build(value)
    except PolicyError as error:
        raise _InnerError(error.problems) from None


def _found(value: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", "")
    return value if not folder or value.startswith(("builtin:", "~")) else str(Path(folder) / value)


INNER_SCHEMA = {"title": "mask", "description": "A mask, by its name or with parameters."}
"""How a mask's JSON Schema says that a mask stands here; pydantic follows no reference out of a schema of its own."""

InnerMask = Annotated[Mask, PlainValidator(inner_mask), WithJsonSchema(INNER_SCHEMA)]
"""The type of a parameter that is itself a mask; composite masks use it and import no other mask."""

FileName = Annotated[str, AfterValidator(_found)]
"""The type of a parameter that names a file: relative to the folder of the policy; ``builtin:NAME`` stays as it is."""


@cache
def adapter(cls: type[Mask]) -> TypeAdapter[Mask]:
    """pydantic's validator for one mask class, which also gives its JSON Schema."""
    return TypeAdapter(cls)


def normalize(spec: Spec) -> tuple[str, dict[str, Any]]:
    """Split a spec into the mask's name and its parameters. Raises PolicyError where it names none."""
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping):
        named = [k for k in NAME_KEYS if k in spec]
        if named and isinstance(spec[named[0]], str):
            return spec[named[0]], {k: v for k, v in spec.items() if k != named[0]}
    raise PolicyError([Problem("", "a mask is a name, or a mapping with `mask:` and its parameters")])


def build_mask(spec: Spec, build: Callable[[Any], Mask] | None = None, folder: str = "") -> Mask:
    """The mask that ``spec`` describes; ``build`` makes inner masks (the policy's knows classes).

    ``folder`` is what names of files are relative to (the working directory where empty). Raises PolicyError with
    every wrong name, parameter and value; ``where`` is the parameter's path within the spec.
    """
    name, params = normalize(spec)
    cls = mask_class(name)
    if cls is None:
        raise PolicyError([Problem(_where(spec), f"there is no mask {name!r}", nearest(name, mask_names()))])
    if BY_COLUMNS in params and BY_COLUMNS not in cls.__dataclass_fields__:
        return _by_columns(name, cls, params, build, folder)
    try:
        text = json.dumps(params, default=_plain)
    except (TypeError, ValueError):
        raise PolicyError([Problem("", f"a parameter of {name} is not plain data")]) from None
    inner = partial(build_mask, folder=folder)
    try:
        return adapter(cls).validate_json(text, context={"build": build or inner, "folder": folder})
    except pydantic.ValidationError as error:
        raise PolicyError(list(_problems(cls, params, error))) from None


def _by_columns(
    name: str, cls: type[Mask], params: dict[str, Any], build: Callable[[Any], Mask] | None, folder: str
) -> Mask:
    """The mask ``by_columns`` around one that was given ``hash_columns``."""
    if "domain" not in cls.__dataclass_fields__:
        problem = Problem(BY_COLUMNS, f"{name} does not draw from the key, so it takes no {BY_COLUMNS}")
        raise PolicyError([problem])
    rest = {k: v for k, v in params.items() if k != BY_COLUMNS}
    inner = build_mask({"mask": name, **rest}, build, folder)  # what is wrong with it is said at its own places
    listed = params[BY_COLUMNS]
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(c, str) for c in listed):
        raise PolicyError([Problem(BY_COLUMNS, f"{BY_COLUMNS} is a list of columns")])
    wrapper: Any = mask_class("by_columns")
    made: Mask = wrapper(columns=tuple(listed), masks=(inner,))
    return made


def _where(spec: Spec) -> str:
    return "" if isinstance(spec, str) else next(k for k in NAME_KEYS if k in spec)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def _problems(cls: type[Mask], params: Mapping[str, Any], error: pydantic.ValidationError) -> Iterator[Problem]:
    unions: dict[str, list[str]] = {}
    entries = error.errors(include_url=False)
    for entry in entries:
        if entry["type"] == "too_short" and any(_within(e["loc"], entry["loc"]) for e in entries):
            continue  # too few are left only because some of them are wrong
        inner = entry.get("ctx", {}).get("error")
        loc = _known(params, entry["loc"])
        where = ".".join(map(str, loc))
        if isinstance(inner, _InnerError):
            for problem in inner.problems:
                yield Problem(".".join(filter(None, (where, problem.where))), problem.what, problem.hint)
        elif entry["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            legal = _legal(adapter(cls).json_schema(), loc[:-1])
            yield Problem(where, f"{cls.name} has no parameter {where!r}", nearest(str(loc[-1]), legal))
        elif entry["type"].startswith("missing"):
            wanted = ".".join(map(str, entry["loc"]))
            yield Problem(where, f"{cls.name} needs the parameter {wanted!r}")
        else:
            message: str = entry["msg"].removeprefix("Value error, ")
            unions.setdefault(where, []).append(message[0].lower() + message[1:])
    for where, messages in unions.items():  # one message for each member of a union of types
        subject = f"{cls.name}: {where}" if where else cls.name
        yield Problem(where, f"{subject}: {', or '.join(dict.fromkeys(messages))}")


def _within(loc: Sequence[int | str], above: Sequence[int | str]) -> bool:
    return len(loc) > len(above) and tuple(loc[: len(above)]) == tuple(above)


def _known(params: Any, loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """The part of pydantic's location that leads through the data; it also names members of unions."""
    known: tuple[int | str, ...] = ()
    for step in loc:
        try:
            params = params[step]
        except (LookupError, TypeError):
            continue
        known = (*known, step)
    return known


def _legal(schema: dict[str, Any], loc: Sequence[int | str]) -> list[str]:
    """The parameters that a mask's JSON Schema knows at a place."""
    at = _variants(schema, schema)
    for step in loc:
        below: list[Any] = []
        for one in at:
            more = one.get("items") if isinstance(step, int) else one.get("properties", {}).get(step)
            below += _variants(schema, more or one.get("additionalProperties"))
        at = below
    return sorted({name for one in at for name in one.get("properties", {})})


def _variants(schema: dict[str, Any], part: Any) -> list[dict[str, Any]]:
    """A part of a schema with references followed, one for each member of a union."""
    if not isinstance(part, dict):
        return []
    if "$ref" in part:
        return _variants(schema, schema.get("$defs", {}).get(part["$ref"].rpartition("/")[2]))
    return [part, *(v for one in part.get("anyOf", []) for v in _variants(schema, one))]


def example_keys() -> KeyRing:
    """The fixed, public key under which documentation and known-answer tests show keyed masks."""
    return KeyRing(MasterKey(b"dbmask documentation key, public"))
