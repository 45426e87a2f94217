"""The JSON Schema of policies, made from the mask classes: what editors check and complete while one is written."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

from pydantic import AliasChoices

from dbmask.masks.base import Mask
from dbmask.masks.build import BY_COLUMNS, INNER_SCHEMA, NAME_KEYS, adapter
from dbmask.policy.jobs import jobs_schema
from dbmask.policy.load import SECTIONS
from dbmask.policy.model import KEY_SOURCES, Default, TableMode
from dbmask.policy.rules import LEFTOVER, MODES
from dbmask.registry import mask_classes

__all__ = ["policy_schema"]

_MASK = {"$ref": "#/$defs/mask"}
_SECTIONS = {
    "allow_ddl": "Objects whose definitions may hold literals that equal values of masked columns.",
    "allow_residue": "Columns of the replica that may hold values of masked columns.",
    "jobs": "Refresh jobs, by name.",
    "keep_previous": "How many earlier replicas are kept.",
    "leftover": "What the proxy shows of columns whose masks run in Python.",
    "subset": "Which part of the rows is cloned.",
}


def policy_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a policy with the masks that are installed."""
    definitions: dict[str, Any] = {}
    masks = [_mask(cls, definitions) for _, cls in sorted(mask_classes().items())]
    name = {
        "type": "string",
        "description": "A mask without parameters, or a class.",
        "examples": sorted(mask_classes()),
    }
    null = {"type": "null", "description": "The mask null."}
    definitions["mask"] = {"anyOf": [name, null, *masks, _class_use()]}
    definitions["table"] = _table(definitions)
    jobs, parts = jobs_schema()
    definitions |= parts
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dbmask policy",
        "description": "How each column of a database is masked.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {**_top(), "jobs": {**jobs, "description": _SECTIONS["jobs"]}},
        "$defs": definitions,
    }


def _top() -> dict[str, Any]:
    files = {"type": "string", "minLength": 1}
    return {
        "version": {"const": 1, "description": "The version of the policy's own format."},
        "key": {
            "type": "string",
            "pattern": rf"^({'|'.join(KEY_SOURCES)}):\s*\S",
            "description": "Where the masking key comes from: env:NAME, file:PATH or exec:COMMAND.",
        },
        "epoch": {"type": ["string", "integer"], "description": "Change it to rotate every masked value."},
        "default": {"enum": [d.value for d in Default], "description": "What happens to what no rule names."},
        "include": {
            "anyOf": [files, {"type": "array", "items": files}],
            "description": "Other files with tables, classes and relations, relative to this one.",
        },
        "classes": {
            "type": ["object", "null"],
            "additionalProperties": _MASK,
            "description": "Masks with names of their own, to be used by these names.",
        },
        "tables": {
            "type": ["object", "null"],
            "additionalProperties": {"$ref": "#/$defs/table"},
            "description": "Tables by name (schema.table, quoted as in SQL) or pattern (hr.*).",
        },
        "relations": {
            "type": ["array", "null"],
            "items": {"anyOf": [{"type": "string", "pattern": "->"}, _relation()]},
            "description": "Foreign keys that the database does not know: schema.table.column -> schema.table.column.",
        },
        **{section: {"description": _SECTIONS[section]} for section in SECTIONS},
        "subset": _subset(),
    }


def _subset() -> dict[str, Any]:
    share = {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%$"},
            {"type": "number", "minimum": 0, "maximum": 1},
        ]
    }
    body = {
        "type": "object",
        "properties": {
            "share": share,
            "tables": {"type": ["object", "null"], "additionalProperties": share},
            "whole": {"type": ["array", "null"], "items": {"type": "string"}},
        },
        "additionalProperties": False,
    }
    return {"description": _SECTIONS["subset"], "anyOf": [*share["anyOf"], body]}


def _mask(cls: type[Mask], definitions: dict[str, Any]) -> dict[str, Any]:
    body = _parameters(cls, definitions)
    names = [cls.name, *cls.aliases, *([None] if cls.name == "null" else [])]
    # A mask with a parameter called `type` is named by `mask` or `strategy`.
    keys = [key for key in NAME_KEYS if key not in body["properties"]]
    naming: dict[str, Any] = {key: {"enum": names, "description": "The mask's name."} for key in keys}
    if "domain" in body["properties"]:  # a keyed mask
        naming[BY_COLUMNS] = {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "Columns of the row to draw from, instead of from the value itself.",
        }
    return {
        "type": "object",
        "title": cls.name,
        "description": inspect.getdoc(cls) or "",
        "properties": {**naming, **body["properties"]},
        "required": body["required"],
        "allOf": [_one_of(keys), *body.get("allOf", [])],
        "additionalProperties": False,
    }


def _parameters(cls: type[Mask], definitions: dict[str, Any]) -> dict[str, Any]:
    """pydantic's schema of a mask's parameters; what it refers to is added to ``definitions`` under names of its own."""
    made = adapter(cls).json_schema(ref_template=f"#/$defs/{cls.name}.{{model}}")
    for name, part in made.pop("$defs", {}).items():
        definitions[f"{cls.name}.{name}"] = _with_masks(part)
    body: dict[str, Any] = _with_masks(made)
    if "$ref" in body:  # a class that refers to itself comes as a reference to its own definition
        body = definitions[body["$ref"].removeprefix("#/$defs/")]
    return _with_other_names(cls, body)


def _with_other_names(cls: type[Mask], body: dict[str, Any]) -> dict[str, Any]:
    """A schema that takes parameters by all names that their fields accept; pydantic writes the first one only."""
    properties, required = dict(body.get("properties", {})), list(body.get("required", []))
    either = []
    for hint in get_type_hints(cls, include_extras=True).values():
        for info in getattr(hint, "__metadata__", ()):
            alias = getattr(info, "validation_alias", None)
            if isinstance(alias, AliasChoices):
                names = [str(name) for name in alias.choices]
                properties.update(dict.fromkeys(names, properties[names[0]]))
                if names[0] in required:
                    required.remove(names[0])
                    either.append(_one_of(names))
    more = {"allOf": either} if either else {}
    return {**body, "properties": properties, "required": required, **more}


def _one_of(names: list[str]) -> dict[str, Any]:
    return {"anyOf": [{"required": [name]} for name in names]}


def _with_masks(part: Any) -> Any:
    """A schema in which every inner mask is a reference to the schema of masks."""
    if isinstance(part, dict):
        if INNER_SCHEMA.items() <= part.items():
            return _MASK
        return {k: _with_masks(v) for k, v in part.items()}
    return [_with_masks(v) for v in part] if isinstance(part, list) else part


def _class_use() -> dict[str, Any]:
    known = sorted(name for cls in mask_classes().values() for name in (cls.name, *cls.aliases))
    return {
        "type": "object",
        "description": "A class, by its name.",
        "properties": {key: {"type": "string", "not": {"enum": known}} for key in NAME_KEYS},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _table(definitions: dict[str, Any]) -> dict[str, Any]:
    group = mask_classes().get("anonymizer")
    body = {} if group is None else _parameters(group, definitions)
    mapping = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "columns": {
                "type": ["object", "null"],
                "additionalProperties": _MASK,
                "description": "Masks by the names of columns, or by patterns (*_email).",
            },
            "where": {"type": "string", "pattern": r"\S", "description": "Which rows are cloned, as a SQL condition."},
            "anonymizer": {
                "type": "object",
                "description": "Masks birth numbers, birth dates and names together.",
                **{k: v for k, v in body.items() if k in ("properties", "required", "allOf", "additionalProperties")},
            },
            "max_rows": {"type": "integer", "minimum": 0, "description": "How many rows are cloned at most."},
            "leftover": {"enum": list(LEFTOVER), "description": _SECTIONS["leftover"]},
            "mode": {"enum": [m.value for m in TableMode], "description": "What happens to the table as a whole."},
        },
        "allOf": [
            _without("keep", ["columns", "anonymizer", "leftover"]),
            _without("empty", ["columns", "anonymizer", "leftover", "where", "max_rows"]),
            _without("skip", ["columns", "anonymizer", "leftover", "where", "max_rows"]),
        ],
    }
    short = {"enum": list(MODES), "description": "keep: as it is; empty: without rows; skip: not created."}
    return {"anyOf": [short, mapping]}


def _without(mode: str, idle: list[str]) -> dict[str, Any]:
    return {
        "if": {"properties": {"mode": {"const": mode}}, "required": ["mode"]},
        "then": {"properties": dict.fromkeys(idle, False)},
    }


def _relation() -> dict[str, Any]:
    ends = {"from": {"type": "string"}, "to": {"type": "string"}}
    return {"type": "object", "properties": ends, "required": ["from", "to"], "additionalProperties": False}
