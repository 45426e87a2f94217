"""The JSON Schema of policies, made from the mask classes: what editors check and complete while one is written."""

from __future__ import annotations

import inspect
from typing import Any

from dbmask.masks.base import Mask
from dbmask.masks.build import adapter
from dbmask.policy.load import SECTIONS
from dbmask.registry import mask_classes

__all__ = ["policy_schema"]


def policy_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a policy with the masks that are installed."""
    definitions: dict[str, Any] = {}
    masks = [_mask(cls, definitions) for _, cls in sorted(mask_classes().items())]
    name = {
        "type": "string",
        "description": "A mask without parameters, or a class.",
        "examples": sorted(mask_classes()),
    }
    definitions["mask"] = {"anyOf": [name, {"type": "null", "description": "The mask null."}, *masks, _class_use()]}
    definitions["table"] = _table()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dbmask policy",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            "key": {
                "type": "string",
                "pattern": "^(env|file|exec):.+",
                "description": "Where the masking key comes from.",
            },
            "epoch": {"type": ["string", "integer"], "description": "Change it to rotate every masked value."},
            "default": {"enum": ["deny", "keep"], "description": "What happens to what no rule names."},
            "include": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            "classes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/mask"}},
            "tables": {"type": "object", "additionalProperties": {"$ref": "#/$defs/table"}},
            "relations": {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": "->"}, _relation()]}},
            **{section: {} for section in SECTIONS},
        },
        "$defs": definitions,
    }


def _mask(cls: type[Mask], definitions: dict[str, Any]) -> dict[str, Any]:
    made = adapter(cls).json_schema(ref_template="#/$defs/{model}")
    definitions.update(made.pop("$defs", {}))
    body = definitions.pop(cls.__name__) if "$ref" in made and cls.__name__ in definitions else made
    names = [cls.name, *cls.aliases]
    naming = [{"required": [key]} for key in ("mask", "strategy", "type") if key not in body.get("properties", {})]
    return {
        "type": "object",
        "title": cls.name,
        "description": inspect.getdoc(cls) or "",
        "properties": {**{k["required"][0]: {"enum": names} for k in naming}, **body.get("properties", {})},
        "required": body.get("required", []),
        "anyOf": naming,
        "additionalProperties": False,
    }


def _class_use() -> dict[str, Any]:
    known = sorted(name for cls in mask_classes().values() for name in (cls.name, *cls.aliases))
    return {
        "type": "object",
        "description": "A class, by its name.",
        "properties": {"mask": {"type": "string", "not": {"enum": known}}},
        "required": ["mask"],
        "additionalProperties": False,
    }


def _table() -> dict[str, Any]:
    mapping = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "columns": {"type": "object", "additionalProperties": {"$ref": "#/$defs/mask"}},
            "where": {"type": "string", "description": "Which rows are cloned, as a SQL condition."},
            "anonymizer": {"type": "object"},
            "max_rows": {"type": "integer", "minimum": 0},
            "leftover": {"enum": ["materialize", "placeholder"]},
            "mode": {"enum": ["mask", "keep", "empty", "skip"]},
        },
    }
    return {"anyOf": [{"enum": ["keep", "empty", "skip"]}, mapping]}


def _relation() -> dict[str, Any]:
    ends = {"from": {"type": "string"}, "to": {"type": "string"}}
    return {"type": "object", "properties": ends, "required": ["from", "to"], "additionalProperties": False}
