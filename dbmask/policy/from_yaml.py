"""YAML into a Document, by the core schema of YAML 1.2.

``no`` and ``on`` are texts, ``010`` is ten, dates stay texts, and a key is always a text: a column may be called
``null`` or ``123``. Built from the parser's events, because neither PyYAML's constructors (which follow YAML 1.1 and
keep no lines) nor its composers (which the nesting of a hostile file overthrows) fit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from dbmask.policy.document import MAX_DEPTH, Document, Path_
from dbmask.text.quoting import literal_patterns

__all__ = ["read_yaml"]

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]{1,400}\Z|0o[0-7]{1,400}\Z|0x[0-9a-fA-F]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_MAX_VALUES = 1_000_000


@dataclass(slots=True)
class _Node:
    """A scalar's text, a mapping's pairs or a sequence's items; ``plain`` says that a scalar stands without quotes."""

    kind: type
    line: int
    tag: str | None
    text: str = ""
    plain: bool = False
    items: list[Any] = field(default_factory=list)


def read_yaml(text: str, document: Document) -> None:
    """Fill a document from YAML text. Raises PolicyError for a text that is no YAML; other faults are noted in it."""
    text, requoted = literal_patterns(text)
    for line in requoted:
        document.note_at(line, "a pattern in double quotes was read literally", "put patterns in single quotes")
    try:
        node = _Composer(text, document).one()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        line = min(mark.line + 1, text.count("\n") + 1) if mark else 1
        raise document.broken(line, f"is not YAML: {what}") from None
    if node is not None:
        document.data = _Reader(document).value(node, ())


class _Composer:
    """Nodes from events; an alias is the node that it names."""

    def __init__(self, text: str, document: Document) -> None:
        self.parser = _PARSER(text)
        self.document = document
        self.anchors: dict[str, _Node] = {}

    def one(self) -> _Node | None:
        """The node of the only document in the stream; None where it is empty. Raises PolicyError, YAMLError."""
        take = self.parser.get_event
        take()
        event = take()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        node = self._node(take(), 0)
        take()
        after = take()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.document.broken(after.start_mark.line + 1, "is not one YAML document: a second one begins here")
        return node

    def _node(self, event: Any, depth: int) -> _Node:
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise self.document.broken(line, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.document.broken(line, f"is not YAML: there is no anchor &{event.anchor} above")
            return self.anchors[event.anchor]
        tag = None if event.tag == "!" else event.tag
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(str, line, tag, event.value, bool(event.implicit[0]) and event.tag is None)
        else:
            node = _Node(dict if isinstance(event, yaml.MappingStartEvent) else list, line, tag)
        if node.kind is not str:
            node.items = self._items(node.kind, depth + 1)
        # Known only now: an alias inside its own anchor has nothing to stand for.
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _items(self, kind: type, depth: int) -> list[Any]:
        take, made = self.parser.get_event, []
        while not isinstance(event := take(), yaml.CollectionEndEvent):
            key = self._node(event, depth)
            made.append((key, self._node(take(), depth)) if kind is dict else key)
        return made


class _Reader:
    """Values from nodes, with lines and problems noted in the document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def value(self, node: _Node, path: Path_) -> Any:
        """The data of a node that stands at ``path``."""
        self.count += 1
        if self.count > _MAX_VALUES:
            raise self.document.broken(node.line, f"holds more than {_MAX_VALUES} values: aliases within aliases")
        if node.kind is str:
            return self._scalar(node, path)
        wanted = "map" if node.kind is dict else "seq"
        if node.tag not in (None, _TAG + wanted):
            self._unknown_tag(node)
        if node.kind is list:
            for i, item in enumerate(node.items):
                self.document.mark((*path, i), item.line)
            return [self.value(item, (*path, i)) for i, item in enumerate(node.items)]
        made = {}
        for name, (key, item) in self._pairs(node, path).items():
            self.document.mark((*path, name), key.line)
            made[name] = self.value(item, (*path, name))
        return made

    def _pairs(self, node: _Node, path: Path_) -> dict[str, tuple[_Node, _Node]]:
        """A mapping's pairs by name, merged ones first; what a mapping says itself beats what is merged into it."""
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        for key, item in node.items:
            if key.kind is not str:
                raise self.document.broken(key.line, "is not YAML: a key must be a text")
            if key.plain and key.text == "<<":
                for part in item.items if item.kind is list else [item]:
                    if part.kind is not dict:
                        raise self.document.broken(key.line, "`<<` merges mappings, and this is none")
                    for name, pair in self._pairs(part, path).items():
                        merged.setdefault(name, pair)
            elif key.text in own:
                self.document.twice(key.text, own[key.text][0].line, key.line)
            else:
                own[key.text] = (key, item)
        return {**merged, **own}

    def _scalar(self, node: _Node, path: Path_) -> Any:
        if node.plain:
            if node.text == "":
                self.document.empty.add(path)
            return _plain(node.text)
        if node.tag is None or node.tag == _TAG + "str":
            return node.text
        types = _TYPES.get(node.tag.removeprefix(_TAG))
        if types is None:
            return self._unknown_tag(node)
        value = _plain(node.text)
        if type(value) not in types:
            self.document.fail(path, f"what is tagged {_short(node.tag)} is none")
        return value

    def _unknown_tag(self, node: _Node) -> None:
        self.document.fail_at(node.line, f"the tag {_short(node.tag or '')} means nothing in a policy", "leave it out")


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _plain(text: str) -> Any:
    """What a scalar without quotes is."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        if _INT.match(text):
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if _FLOAT.match(text):
            return float(text)
    return text
