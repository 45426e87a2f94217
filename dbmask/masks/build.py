"""From what a policy says (``redact``, or ``{mask: redact, keep_end: 4}``) to a mask object, with every parameter checked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import PlainValidator, TypeAdapter, ValidationInfo, WithJsonSchema

from dbmask.errors import PolicyError, Problem
from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Mask, nearest
from dbmask.registry import mask_class, mask_names

__all__ = ["FOLDER", "InnerMask", "Spec", "build_mask", "example_keys", "normalize"]

FOLDER: ContextVar[Path] = ContextVar("FOLDER", default=Path())
"""The folder that file names in parameters are relative to: that of the policy being loaded, else the working directory."""

Spec = str | Mapping[str, Any]
_NAME_KEYS = ("mask", "strategy", "type")


def _inner(value: Any, info: ValidationInfo) -> Mask:
    if isinstance(value, Mask):
        return value
    build: Callable[[Any], Mask] = (info.context or {}).get("build", build_mask)
    try:
        return build(value)
    except PolicyError as error:
        raise ValueError("; ".join(f"{p.where}: {p.what}" for p in error.problems)) from None


InnerMask = Annotated[Mask, PlainValidator(_inner), WithJsonSchema({"$ref": "#/$defs/mask"})]
"""The type of a parameter that is itself a mask; composite masks use it and import no other mask."""


@cache
def adapter(cls: type[Mask]) -> TypeAdapter[Mask]:
    """pydantic's validator for one mask class, which also gives its JSON Schema."""
    return TypeAdapter(cls)


def normalize(spec: Spec) -> tuple[str, dict[str, Any]]:
    """Split a spec into the mask's name and its parameters. Raises PolicyError where it names none."""
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping):
        named = [k for k in _NAME_KEYS if k in spec]
        if named and isinstance(spec[named[0]], str):
            return spec[named[0]], {k: v for k, v in spec.items() if k != named[0]}
    raise PolicyError([Problem("", "a mask is a name, or a mapping with `mask:` and its parameters")])


def build_mask(spec: Spec, build: Callable[[Any], Mask] | None = None) -> Mask:
    """The mask that ``spec`` describes; ``build`` makes inner masks (the policy's knows classes).

    Raises PolicyError with every wrong name, parameter and value; ``where`` is the parameter's path within the spec.
    """
    name, params = normalize(spec)
    cls = mask_class(name)
    if cls is None:
        raise PolicyError([Problem(_where(spec), f"there is no mask {name!r}", nearest(name, mask_names()))])
    try:
        text = json.dumps(params, default=_plain)
    except (TypeError, ValueError):
        raise PolicyError([Problem("", f"a parameter of {name} is not plain data")]) from None
    try:
        return adapter(cls).validate_json(text, context={"build": build or build_mask})
    except pydantic.ValidationError as error:
        raise PolicyError(
            [_problem(name, cls, e) for e in error.errors(include_url=False, include_context=False)]
        ) from None


def _where(spec: Spec) -> str:
    return "" if isinstance(spec, str) else next(k for k in _NAME_KEYS if k in spec)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def _problem(name: str, cls: type[Mask], error: Any) -> Problem:
    path = ".".join(str(p) for p in error["loc"])
    message: str = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        legal = [f for f in cls.__dataclass_fields__]
        return Problem(path, f"{name} has no parameter {path!r}", nearest(path, legal))
    if error["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return Problem("", f"{name} needs the parameter {path!r}")
    subject = f"{name}: {path}" if path else name
    return Problem(path, f"{subject}: {message[0].lower()}{message[1:]}")


def example_keys() -> KeyRing:
    """The fixed, public key under which documentation and known-answer tests show keyed masks."""
    return KeyRing(MasterKey(b"dbmask documentation key, public"))
