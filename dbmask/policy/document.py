"""Policy files as plain data with a line number for every place: YAML, JSON and TOML.

YAML is read by the rules of its version 1.2: ``no`` and ``on`` are texts, dates stay texts, and a key is always a
text. JSON goes through the same composer, so that it has line numbers too.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dbmask.errors import PolicyError, Problem

__all__ = ["Document", "Path_", "parse", "read"]

Path_ = tuple[str | int, ...]

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}


class _Core(yaml.SafeLoader):
    """YAML 1.2's core schema: no dates, no sexagesimals, no yes/no/on/off."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to say it


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass
class Document:
    """A file's data, with the line of every key and item by its path. ``empty`` holds paths whose value is missing."""

    name: str
    data: Any = None
    lines: dict[Path_, int] = field(default_factory=dict)
    empty: set[Path_] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: Path_ = ()) -> str:
        """file:line of a path, or of the nearest path above it that has a line."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path, 1)
        return f"{self.name}:{line}" if self.name else f"line {line}"

    def fail(self, path: Path_, what: str, hint: str = "") -> None:
        """Note a problem at a path."""
        self.problems.append(Problem(self.where(path), what, hint))


def read(path: str | Path) -> Document:
    """Read a policy file; its format is told by its ending. Raises PolicyError where it cannot be read or parsed."""
    name = str(path)
    form = _FORMATS.get(Path(name).suffix.lower())
    if form is None:
        raise PolicyError([Problem(name, "is no policy file by its name", "use .yaml, .json or .toml")])
    try:
        text = Path(name).read_text("utf-8-sig")
    except OSError as error:
        raise PolicyError([Problem(name, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(name, f"is not UTF-8 at byte {error.start}")]) from None
    return parse(text, form, name)


def parse(text: str, form: str, name: str = "", environ: Mapping[str, str] | None = None) -> Document:
    """Parse a policy's text as "yaml", "json" or "toml". Raises PolicyError for a syntax error, with its line."""
    document = Document(name)
    if form == "toml":
        _toml(text, document)
    else:
        if form == "json":
            _check_json(text, document)
        _yaml(text, document)
    document.data = _expanded(document.data, (), document, os.environ if environ is None else environ)
    return document


def _check_json(text: str, document: Document) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError([Problem(f"{document.name}:{error.lineno}", f"is not JSON: {error.msg}")]) from None


def _yaml(text: str, document: Document) -> None:
    try:
        loader = _Core(text)
        node = loader.get_single_node()
        document.data = None if node is None else _value(loader, node, (), document)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{document.name}:{mark.line + 1}" if mark else document.name
        what = getattr(error, "problem", None) or "a character that YAML does not allow"
        raise PolicyError([Problem(where, f"is not YAML: {what}")]) from None


def _value(loader: _Core, node: yaml.Node, path: Path_, document: Document) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        made = []
        for i, item in enumerate(node.value):
            document.lines[(*path, i)] = item.start_mark.line + 1
            made.append(_value(loader, item, (*path, i), document))
        return made
    if node.value == "" and node.tag.endswith(":null"):
        document.empty.add(path)
    return loader.construct_object(node)


def _mapping(loader: _Core, node: yaml.MappingNode, path: Path_, document: Document) -> dict[str, Any]:
    made: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key, item in node.value:
        if key.tag.endswith(":merge"):
            parts = item.value if isinstance(item, yaml.SequenceNode) else [item]
            for part in reversed(parts):
                merged.update(_value(loader, part, path, document))
            continue
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key.start_mark)
        # A name that would be cut short or read as a pattern keeps the quotes that it was given.
        name = key.value
        if name in made:
            document.lines[(*path, name)] = key.start_mark.line + 1
            document.fail((*path, name), f"{name!r} is given twice")
            continue
        document.lines[(*path, name)] = key.start_mark.line + 1
        made[name] = _value(loader, item, (*path, name), document)
    return {**merged, **made}


def _toml(text: str, document: Document) -> None:
    try:
        document.data = tomllib.loads(text, parse_float=float)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        what = re.sub(r" \(at .*\)", "", str(error))
        where = f"{document.name}:{line[1]}" if line else document.name
        raise PolicyError([Problem(where, f"is not TOML: {what[0].lower()}{what[1:]}")]) from None
    # tomllib gives no positions: the first line that holds a key behind its parent's line is where it stands.
    rows = text.splitlines()
    _find_lines(document.data, (), 0, rows, document)


def _find_lines(data: Any, path: Path_, start: int, rows: list[str], document: Document) -> None:
    if not isinstance(data, dict):
        return
    for name, item in data.items():
        pattern = re.compile(r"(?:^|[\s\[{.,\"'])" + re.escape(name) + r"(?:[\s\]}.=\"']|$)")
        at = next((i for i in range(start, len(rows)) if pattern.search(rows[i])), start)
        document.lines[(*path, name)] = at + 1
        _find_lines(item, (*path, name), at, rows, document)


def _expanded(data: Any, path: Path_, document: Document, environ: Mapping[str, str]) -> Any:
    """The data with ${NAME} replaced in every text but the key's source."""
    if isinstance(data, dict):
        return {
            k: v if not path and k == "key" else _expanded(v, (*path, k), document, environ) for k, v in data.items()
        }
    if isinstance(data, list):
        return [_expanded(v, (*path, i), document, environ) for i, v in enumerate(data)]
    if isinstance(data, str) and "${" in data:
        for missing in sorted({m for m in _ENV.findall(data) if m not in environ}):
            document.fail(path, f"the environment variable {missing} is not set")
        return _ENV.sub(lambda m: environ.get(m[1], ""), data)
    return data
