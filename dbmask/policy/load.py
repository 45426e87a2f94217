"""From a policy file to a Policy: every mask built, every problem reported together, each with file and line."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import nearest
from dbmask.policy.document import Document, Path_
from dbmask.policy.jobs import check_jobs
from dbmask.policy.model import KEY_SOURCES, Default, Policy
from dbmask.policy.read import from_data, parse, read
from dbmask.policy.rules import read_relations, read_tables
from dbmask.policy.specs import Specs
from dbmask_sql.jcs import canonical_json

__all__ = ["SECTIONS", "TOP", "load_policy", "policy_from_dict", "policy_from_text"]

SECTIONS = ("allow_ddl", "allow_residue", "jobs", "keep_previous", "leftover", "subset")
"""Top-level keys that other jobs read."""
TOP = ("version", "key", "epoch", "default", "tables", "classes", "include", "relations", *SECTIONS)
"""All top-level keys."""
_INCLUDED = ("version", "tables", "classes", "relations", "include")


def load_policy(path: str | Path) -> Policy:
    """Load a policy file with everything that it includes. Raises PolicyError with every problem."""
    return _Loader().policy(read(path))


def policy_from_text(text: str, form: str = "yaml", path: str = "") -> Policy:
    """Load a policy from text ("yaml", "json" or "toml"). Raises PolicyError with every problem."""
    return _Loader().policy(parse(text, form, path))


def policy_from_dict(data: Mapping[str, Any], path: str = "") -> Policy:
    """Load a policy from plain data. Raises PolicyError with every problem; places are paths, not lines."""
    return _Loader().policy(from_data(data, path))


@dataclass
class _Loader:
    """One loading: the documents read so far and their classes."""

    documents: list[Document] = field(default_factory=list)
    specs: Specs = field(default_factory=Specs)
    opened: dict[str, bool] = field(default_factory=dict)
    """Files by their real paths; true while one is still being read."""

    def policy(self, document: Document) -> Policy:
        """The policy of a main document."""
        self._open(document)
        top: dict[str, Any] = document.data
        if "version" not in top:
            document.fail((), "needs `version: 1`, the version of policies that this dbmask reads")
        key = _key(document, top.get("key"))
        epoch = _epoch(document, top)
        default = top.get("default", "deny")
        if default not in list(Default):
            document.fail(("default",), "default is `deny` or `keep`", nearest(str(default), list(Default)))
            default = "deny"
        check_jobs(document, top.get("jobs"))
        self.specs.build_classes()
        tables = tuple(r for d in self.documents for r in read_tables(d, _section(d, "tables"), self.specs))
        relations = tuple(r for d in self.documents for r in read_relations(d, d.data.get("relations")))
        problems = [p for d in self.documents for p in sorted(d.problems, key=_line)]
        if not tables and not problems:
            document.fail((), "names no tables", "add `tables:`")
            problems = document.problems
        if problems:
            raise PolicyError(list(dict.fromkeys(problems)))
        return Policy(
            key=key,
            epoch=epoch,
            default=Default(default),
            tables=tables,
            relations=relations,
            sections={k: top[k] for k in SECTIONS if k in top},
            path=document.name,
            notes=tuple(note for d in self.documents for note in d.notes),
            digest=_digest([d.data for d in self.documents]),
        )

    def _open(self, document: Document) -> None:
        """Note a document, its classes and what it includes."""
        self.documents.append(document)
        if not isinstance(document.data, dict):
            document.fail((), "is no policy: expected a mapping with `version:` and `tables:`")
            document.data = {}
            return
        for name in document.data:
            if name not in TOP:
                document.fail((name,), f"unknown key {name!r}", nearest(name, TOP))
            elif name not in _INCLUDED and len(self.documents) > 1:
                document.fail((name,), f"`{name}:` belongs into the main policy, not into an included file")
        version = document.data.get("version", 1)
        if version != 1 or not isinstance(version, int) or isinstance(version, bool):
            document.fail(("version",), "needs `version: 1`, the version of policies that this dbmask reads")
        for name, spec in _section(document, "classes").items():
            self.specs.add_class(document, name, spec)
        here = str(Path(document.name).resolve())
        self.opened[here] = True
        self._include(document)
        self.opened[here] = False

    def _include(self, document: Document) -> None:
        listed = document.data.get("include", [])
        listed = [] if listed is None else listed
        names = listed if isinstance(listed, list) else [listed]
        for i, name in enumerate(names):
            path: Path_ = ("include", i) if isinstance(listed, list) else ("include",)
            if not isinstance(name, str):
                document.fail(path, "`include:` must be a file name or a list of them")
                continue
            file = Path(document.name).parent / name
            here = str(file.resolve())
            if self.opened.get(here):
                document.fail(path, f"{name} includes itself, directly or through another file")
            if here in self.opened:  # two files may include a third one
                continue
            try:
                self._open(read(file))
            except PolicyError as error:
                document.problems += [Problem(document.where(path), str(p)) for p in error.problems]


def _section(document: Document, name: str) -> dict[str, Any]:
    found = document.data.get(name)
    if found is not None and not isinstance(found, dict):
        document.fail((name,), f"`{name}:` must be a mapping")
        return {}
    return found or {}


def _key(document: Document, key: Any) -> str | None:
    if key is None and "key" not in document.data:
        return None
    source, _, rest = key.partition(":") if isinstance(key, str) else ("", "", "")
    if source in KEY_SOURCES and rest.strip():
        return str(key)
    document.fail(("key",), "the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself")
    return None


def _epoch(document: Document, top: Mapping[str, Any]) -> str:
    epoch = top.get("epoch", "")
    if isinstance(epoch, str | int) and not isinstance(epoch, bool):
        return str(epoch)
    # 1.10 would be read as 1.1, and would rotate nothing where it should.
    document.fail(("epoch",), "`epoch:` is a text or a whole number", "put it in quotes")
    return ""


def _line(problem: Problem) -> int:
    line = problem.where.rpartition(":")[2].removeprefix("line ")
    return int(line) if line.isdigit() else 0


def _digest(data: list[Any]) -> str:
    """SHA-256, in hex, of what the documents say, whatever their format, order of keys and comments."""
    return hashlib.sha256(canonical_json([_plain(d) for d in data]).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _plain(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_plain(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)
