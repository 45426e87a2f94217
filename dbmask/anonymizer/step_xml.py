"""The step's XML as the vendor's tool writes it, read as it is.

    <step className="...AnonymizerAlgorithm" id="...">
      <properties rc="..." birthDate="..." firstName="..." lastName="..." birthDayMin="..." birthDayMax="..." ...>
        <scorer explanationColumn="...">
          <scoringEntries><scoringEntry key="..." explainAs="..." score="..." explain="..."/></scoringEntries>
        </scorer>
      </properties>
    </step>

Attributes of ``properties`` are the anonymizer's parameters; ``rc``, ``birthDate``, ``firstName`` and ``lastName`` name
columns. Documents with a DTD are refused, and so with entities of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from dbmask.anonymizer.parameters import ROLES, Parameters, read_parameters
from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import nearest

__all__ = ["Step", "read_step"]

_CLASS = "AnonymizerAlgorithm"
_LARGEST = 1 << 20
_ENTRY = ("key", "explainAs", "score", "explain")


@dataclass(frozen=True)
class Step:
    """One anonymizer step: its parameters, the columns by what they hold, where score and explanation go (None: nowhere)."""

    parameters: Parameters
    columns: Mapping[str, str]
    score_column: str | None = None
    explanation_column: str | None = None


@dataclass
class _Element:
    """An element with the line on which it begins."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)


def read_step(path: str | Path, name_lookup: str | None = None) -> Step:
    """Read a step file; ``name_lookup`` takes the place of its nameLookupFileName.

    Raises PolicyError with everything that is wrong, each with file and line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PolicyError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    if len(data) > _LARGEST:
        raise PolicyError([Problem(str(path), "is no step file: it has more than a megabyte")])
    return _Reading(str(path)).step(_parse(data, str(path)), name_lookup)


def _parse(data: bytes, path: str) -> _Element:
    """The document's root. Raises PolicyError for what is not well formed, and for a DTD."""
    parser = expat.ParserCreate()
    top = _Element("", {}, 0)
    stack = [top]
    problems: list[Problem] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        element = _Element(name, attributes, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def doctype(*_: Any) -> None:
        problems.append(
            Problem(f"{path}:{parser.CurrentLineNumber}", "a document type is not allowed", "remove <!DOCTYPE ...>")
        )
        raise PolicyError(problems)

    def text(value: str) -> None:
        if value.strip() and not problems:
            problems.append(Problem(f"{path}:{parser.CurrentLineNumber}", "text does not belong into a step"))

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.StartDoctypeDeclHandler = doctype
    parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise PolicyError([Problem(f"{path}:{error.lineno}", f"is not XML: {expat.ErrorString(error.code)}")]) from None
    if problems:
        raise PolicyError(problems)
    return top.children[0]


class _Reading:
    """Goes through the elements; problems gather here."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def step(self, root: _Element, name_lookup: str | None) -> Step:
        """The step of the document. Raises PolicyError."""
        if root.name != "step":
            self._fail(root, f"expected <step>, found <{root.name}>")
            raise PolicyError(self.problems)
        self._attributes(root, ("className", "id", "disabled", "mode"))
        if not root.attributes.get("className", _CLASS).endswith(_CLASS):
            self._fail(root, f"className is not the anonymizer's, which ends with {_CLASS}")
        properties = self._one(root, "properties")
        if properties is None:
            raise PolicyError(self.problems)
        own = dict(properties.attributes)
        columns = {role: name for role in ROLES if (name := own.pop(role, None))}
        given: dict[str, Any] = {k: v for k, v in own.items() if v != ""}
        if name_lookup is not None:
            given["nameLookupFileName"] = name_lookup
        scorer = self._one(properties, "scorer", required=False)
        if scorer is not None:
            given["scorer"] = list(self._entries(scorer))
        if not columns:
            self._fail(properties, f"names no column: give one of {', '.join(ROLES)}")
        parameters = self._parameters(properties, given)
        if self.problems or parameters is None:
            raise PolicyError(self.problems)
        if scorer is None:
            return Step(parameters, columns)
        target = scorer.attributes
        return Step(parameters, columns, target.get("scoreColumn", "score"), target.get("explanationColumn"))

    def _parameters(self, at: _Element, given: Mapping[str, Any]) -> Parameters | None:
        try:
            return read_parameters(given)
        except PolicyError as error:
            for problem in error.problems:
                self._fail(at, problem.what, problem.hint)
        return None

    def _entries(self, scorer: _Element) -> Iterator[dict[str, Any]]:
        self._attributes(scorer, ("explanationColumn", "scoreColumn"))
        entries = self._one(scorer, "scoringEntries")
        if entries is None:
            return
        self._attributes(entries, ())
        for entry in self._children(entries, "scoringEntry"):
            self._attributes(entry, _ENTRY)
            self._children(entry, "")
            made: dict[str, Any] = dict(entry.attributes)
            if "key" not in made:
                self._fail(entry, "scoringEntry needs a key")
                continue
            try:
                score = float(made.get("score", "0"))
                made["score"] = int(score)  # refuses what is not finite
                if score != made["score"]:
                    made["score"] = score
            except (ValueError, OverflowError):
                self._fail(entry, f"score ({entry.attributes['score']}) must be a number")
                continue
            explain = made.get("explain", "true")
            if explain not in ("true", "false"):
                self._fail(entry, f"explain ({explain}) must be true or false")
            made["explain"] = explain == "true"
            yield {k: v for k, v in made.items() if k in _ENTRY}

    def _fail(self, at: _Element, what: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.path}:{at.line}", what, hint))

    def _attributes(self, at: _Element, legal: tuple[str, ...]) -> None:
        for name in at.attributes:
            if name not in legal:
                self._fail(at, f"<{at.name}> has no attribute {name!r}", nearest(name, legal))

    def _children(self, at: _Element, name: str) -> list[_Element]:
        for child in at.children:
            if child.name != name:
                self._fail(
                    child, f"<{child.name}> does not belong into <{at.name}>", f"there is: <{name}>" if name else ""
                )
        return [c for c in at.children if c.name == name]

    def _one(self, at: _Element, name: str, required: bool = True) -> _Element | None:
        found = self._children(at, name)
        if len(found) > 1:
            self._fail(found[1], f"<{name}> is given twice")
        if not found and required:
            self._fail(at, f"<{at.name}> needs <{name}>")
        return found[0] if found else None
