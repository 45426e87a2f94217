"""From a policy file to a Policy: every mask built, every problem reported together, each with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import Mask, nearest
from dbmask.masks.build import build_mask
from dbmask.policy.document import Document, Path_, parse, read
from dbmask.policy.model import ColumnRule, Default, GroupRule, Policy, Relation, TableMode, TableRule
from dbmask.registry import mask_class, mask_names
from dbmask.schema import TableName, split_name
from dbmask_sql.jcs import canonical_json

__all__ = ["load_policy", "policy_from_dict", "policy_from_text"]

SECTIONS = ("allow_ddl", "jobs", "keep_previous", "leftover", "subset")
"""Top-level keys that other jobs read."""
TOP = ("version", "key", "epoch", "default", "tables", "classes", "include", "relations", *SECTIONS)
TABLE = ("columns", "where", "anonymizer", "max_rows", "leftover", "mode")
_MODES = [m.value for m in TableMode if m is not TableMode.MASK]


def load_policy(path: str | Path) -> Policy:
    """Load a policy file with everything that it includes. Raises PolicyError with every problem."""
    return _Loader().policy(read(path))


def policy_from_text(text: str, form: str = "yaml", path: str = "") -> Policy:
    """Load a policy from text ("yaml", "json" or "toml"). Raises PolicyError with every problem."""
    return _Loader().policy(parse(text, form, path))


def policy_from_dict(data: Mapping[str, Any], path: str = "") -> Policy:
    """Load a policy from plain data. Raises PolicyError with every problem; places are paths, not lines."""
    return _Loader().policy(Document(path, dict(data)))


@dataclass
class _Loader:
    """One loading: the documents read so far, their classes, tables and relations."""

    problems: list[Problem] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    classes: dict[str, tuple[Document, Any]] = field(default_factory=dict)
    building: list[str] = field(default_factory=list)

    def policy(self, document: Document) -> Policy:
        """The policy of a main document."""
        top = self._open(document, ())
        if top.get("version") != 1 or top.get("version") is True:
            document.fail(("version",), "needs `version: 1`, the version of policies that this dbmask reads")
        key = top.get("key")
        if key is not None and not str(key).startswith(("env:", "file:", "exec:")):
            document.fail(("key",), "the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself")
        default = top.get("default", "deny")
        if default not in list(Default):
            document.fail(("default",), "default is `deny` or `keep`")
            default = "deny"
        if any(name not in self.documents[0].data for name in ("tables", "include")) and not self._any_tables():
            document.fail((), "names no tables", "add `tables:`")
        tables = tuple(rule for d in self.documents for rule in self._tables(d))
        relations = tuple(r for d in self.documents for r in self._relations(d))
        problems = [*self.problems, *(p for d in self.documents for p in d.problems)]
        if problems:
            raise PolicyError(list(dict.fromkeys(problems)))
        merged = canonical_json([_plain(d.data) for d in self.documents])
        return Policy(
            key=None if key is None else str(key),
            epoch=str(top.get("epoch", "")),
            default=Default(default),
            tables=tables,
            relations=relations,
            sections={k: top[k] for k in SECTIONS if k in top},
            path=document.name,
            digest=hashlib.sha256(merged.encode()).hexdigest(),
        )

    def _any_tables(self) -> bool:
        return any(d.data.get("tables") for d in self.documents)

    def _open(self, document: Document, chain: tuple[str, ...]) -> dict[str, Any]:
        """Note a document, its classes and what it includes; return its top-level mapping."""
        self.documents.append(document)
        if not isinstance(document.data, dict):
            document.fail((), "is no policy: expected a mapping with `version:` and `tables:`")
            document.data = {}
        data: dict[str, Any] = document.data
        for name in data:
            if name not in TOP:
                document.fail((name,), f"unknown key {name!r}", nearest(name, TOP))
        classes = self._section(document, "classes")
        for name, spec in classes.items():
            if mask_class(name) is not None:
                document.fail(("classes", name), f"class {name!r} has the name of a mask", "give it a name of its own")
            elif name in self.classes:
                document.fail(
                    ("classes", name), f"class {name!r} is defined twice", f"first at {self.classes[name][0].name}"
                )
            else:
                self.classes[name] = (document, spec)
        self._include(document, chain)
        return data

    def _section(self, document: Document, name: str) -> dict[str, Any]:
        found = document.data.get(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            document.fail((name,), f"`{name}:` must be a mapping")
            return {}
        return found

    def _include(self, document: Document, chain: tuple[str, ...]) -> None:
        listed = document.data.get("include", [])
        for i, name in enumerate(
            [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else [None]
        ):
            path: Path_ = ("include", i) if isinstance(listed, list) else ("include",)
            if not isinstance(name, str):
                document.fail(path, "`include:` must be a file name or a list of them")
                continue
            file = Path(document.name).parent / name
            here = str(file.resolve())
            if here in (*chain, str(Path(document.name).resolve())):
                document.fail(path, f"{name} includes itself, directly or through another file")
                continue
            try:
                opened = read(file)
            except PolicyError as error:
                self.problems += [Problem(document.where(path), str(p)) for p in error.problems]
                continue
            self._open(opened, (*chain, str(Path(document.name).resolve())))
            for key in opened.data:
                if key in TOP and key not in ("version", "tables", "classes", "relations", "include"):
                    opened.fail((key,), f"`{key}:` belongs into the main policy, not into an included file")

    # -- tables --------------------------------------------------------------------------------------------------

    def _tables(self, document: Document) -> list[TableRule]:
        made = []
        for name, body in self._section(document, "tables").items():
            path: Path_ = ("tables", name)
            if isinstance(body, str):
                if body in _MODES:
                    made.append(TableRule(name, TableMode(body), where=document.where(path)))
                else:
                    document.fail(
                        path, f"a table is {', '.join(_MODES)}, or a mapping with `columns:`", nearest(body, _MODES)
                    )
            elif isinstance(body, dict):
                made.append(self._table(document, name, body))
            else:
                document.fail(path, f"table {name} has no rule", f"give it `columns:`, or {', '.join(_MODES)}")
        return made

    def _table(self, document: Document, name: str, body: dict[str, Any]) -> TableRule:
        path: Path_ = ("tables", name)
        for key in body:
            if key not in TABLE:
                document.fail((*path, key), f"unknown key {key!r} in table {name}", nearest(key, TABLE))
        columns = []
        listed = body.get("columns") or {}
        if not isinstance(listed, dict):
            document.fail((*path, "columns"), "`columns:` must be a mapping of column to mask")
            listed = {}
        for column, spec in listed.items():
            mask = self._mask(document, (*path, "columns", column), spec)
            if mask is not None:
                columns.append(ColumnRule(column, mask, document.where((*path, "columns", column))))
        where = body.get("where")
        if where is not None and not isinstance(where, str):
            document.fail((*path, "where"), "`where:` must be a SQL condition as text")
            where = None
        mode = body.get("mode", "mask")
        if mode not in list(TableMode):
            document.fail((*path, "mode"), f"`mode:` is one of {', '.join(TableMode)}")
            mode = "mask"
        options: dict[str, Any] = {k: body[k] for k in ("max_rows", "leftover") if k in body}
        groups = self._groups(document, path, body)
        return TableRule(name, TableMode(mode), tuple(columns), groups, where, document.where(path), options)

    def _groups(self, document: Document, path: Path_, body: dict[str, Any]) -> tuple[GroupRule, ...]:
        if "anonymizer" not in body:
            return ()
        place: Path_ = (*path, "anonymizer")
        spec = body["anonymizer"]
        if not isinstance(spec, dict):
            document.fail(place, "`anonymizer:` must be a mapping of its parameters")
            return ()
        mask = self._mask(document, place, {"mask": "anonymizer", **spec})
        return () if mask is None else (GroupRule(mask, document.where(place)),)

    # -- masks ---------------------------------------------------------------------------------------------------

    def _mask(self, document: Document, path: Path_, spec: Any) -> Mask | None:
        if spec is None and path not in document.empty:
            spec = "null"  # YAML reads the mask's name as no value
        try:
            return self._build(spec)
        except PolicyError as error:
            for problem in error.problems:
                deeper = (*path, *(int(p) if p.isdigit() else p for p in problem.where.split(".") if p))
                document.fail(deeper, problem.what, problem.hint)
        return None

    def _build(self, spec: Any) -> Mask:
        name = spec if isinstance(spec, str) else None
        if isinstance(spec, dict) and isinstance(spec.get("mask"), str) and spec["mask"] in self.classes:
            name = spec["mask"]
            if len(spec) > 1:
                raise PolicyError([Problem("", f"class {name!r} takes no parameters", "define another class")])
        if name is None:
            return build_mask(spec, self._build)
        if name not in self.classes:
            if mask_class(name) is None and self.classes:
                hint = nearest(name, [*mask_names(), *self.classes])
                raise PolicyError([Problem("", f"there is no mask or class {name!r}", hint)])
            return build_mask(name, self._build)
        if name in self.building:
            raise PolicyError([Problem("", f"class {name!r} is defined by itself")])
        self.building.append(name)
        try:
            return self._build("null" if self.classes[name][1] is None else self.classes[name][1])
        finally:
            self.building.pop()

    # -- relations -----------------------------------------------------------------------------------------------

    def _relations(self, document: Document) -> list[Relation]:
        listed = document.data.get("relations") or []
        if not isinstance(listed, list):
            document.fail(("relations",), "`relations:` must be a list of `table.column -> table.column`")
            return []
        made = []
        for i, item in enumerate(listed):
            relation = self._relation(document, ("relations", i), item)
            if relation is not None:
                made.append(relation)
        return made

    def _relation(self, document: Document, path: Path_, item: Any) -> Relation | None:
        """``schema.table.column -> schema.table.column``, or a mapping {from, to}; composite ones list columns in parentheses."""
        ends: list[Any] = []
        if isinstance(item, str) and "->" in item:
            ends = [part.strip() for part in item.split("->", 1)]
        elif isinstance(item, dict) and set(item) == {"from", "to"}:
            ends = [item["from"], item["to"]]
        try:
            (table, columns), (ref, ref_columns) = (_end(e) for e in ends)
        except ValueError:
            document.fail(path, "a relation is written `schema.table.column -> schema.table.column`")
            return None
        if len(columns) != len(ref_columns):
            document.fail(path, "both ends of a relation need the same number of columns")
            return None
        return Relation(table, columns, ref, ref_columns, document.where(path))


def _end(text: Any) -> tuple[TableName, tuple[str, ...]]:
    """``s.t.c`` or ``s.t(c, d)``. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("not a text")
    head, paren, tail = text.partition("(")
    if paren:
        if not tail.endswith(")"):
            raise ValueError("unclosed")
        columns = tuple(split_name(c.strip())[0] for c in tail[:-1].split(","))
        return TableName.parse(head.strip()), columns
    parts = split_name(text)
    if not 2 <= len(parts) <= 3:
        raise ValueError("parts")
    return TableName(parts[0] if len(parts) == 3 else "", parts[-2]), (parts[-1],)


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(k): _plain(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_plain(v) for v in data]
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)
