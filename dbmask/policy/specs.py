"""What a policy says of one column, made into a mask; classes by their names, problems at their own lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import Mask, nearest
from dbmask.masks.build import NAME_KEYS, build_mask
from dbmask.policy.document import Document, Path_
from dbmask.registry import mask_class, mask_names

__all__ = ["Specs"]


@dataclass
class Specs:
    """Builds masks; knows the classes of all documents of one policy."""

    classes: dict[str, tuple[Document, Any]] = field(default_factory=dict)
    _made: dict[str, Mask | None] = field(default_factory=dict)
    _building: list[str] = field(default_factory=list)
    _plain: dict[tuple[str, str], Mask] = field(default_factory=dict)

    def add_class(self, document: Document, name: str, spec: Any) -> None:
        """Note a class. It is built when :meth:`build_classes` is called, or when it is used first."""
        path: Path_ = ("classes", name)
        if mask_class(name) is not None:
            document.fail(path, f"class {name!r} has the name of a mask", "give it a name of its own")
        elif name in self.classes:
            document.fail(path, f"class {name!r} is defined twice", f"first at {self._where(name)}")
        else:
            self.classes[name] = (document, spec)

    def build_classes(self) -> None:
        """Build every class, so that one that nobody uses is checked too."""
        for name in self.classes:
            self._class(name)

    def mask(self, document: Document, path: Path_, spec: Any) -> Mask | None:
        """The mask that ``spec`` describes at ``path``; None where it does not, which is then noted in the document."""
        missing = document.missing(path)
        for place in missing:
            document.fail(place, "nothing is said here", "write a mask or a value; `null` is a mask too")
        if missing:
            return None
        try:
            return self._build(spec, document.folder)
        except PolicyError as error:
            for problem in error.problems:
                document.fail((*path, *_steps(spec, problem.where)), problem.what, problem.hint)
        return None

    def _where(self, name: str) -> str:
        return self.classes[name][0].where(("classes", name))

    def _build(self, spec: Any, folder: str) -> Mask:
        spec = _named(spec)
        if isinstance(spec, str):
            found = self._plain.get((spec, folder))
            if found is None:
                found = self._plain[spec, folder] = self._new(spec, {}, spec, folder)
            return found
        key = next((k for k in NAME_KEYS if isinstance(spec, dict) and k in spec), None)
        if key is None or not isinstance(spec[key], str):
            return build_mask(spec)  # which says what is wrong with it
        return self._new(spec[key], {k: v for k, v in spec.items() if k != key}, spec, folder)

    def _new(self, name: str, params: dict[str, Any], spec: Any, folder: str) -> Mask:
        if name in self.classes:
            if params:
                raise PolicyError([Problem("", f"class {name!r} takes no parameters", "define another class")])
            return self._of_class(name)
        if mask_class(name) is None and self.classes:
            hint = nearest(name, [*mask_names(), *self.classes])
            raise PolicyError([Problem("", f"there is no mask or class {name!r}", hint)])
        return build_mask(spec, lambda inner: self._build(inner, folder), folder)

    def _of_class(self, name: str) -> Mask:
        if name in self._building:
            raise PolicyError([Problem("", f"class {name!r} is defined by itself")])
        made = self._class(name)
        if made is None:
            raise PolicyError([])  # said where the class stands
        return made

    def _class(self, name: str) -> Mask | None:
        if name not in self._made:
            self._building.append(name)
            document, spec = self.classes[name]
            self._made[name] = self.mask(document, ("classes", name), spec)
            self._building.pop()
        return self._made[name]


def _named(spec: Any) -> Any:
    """A spec in which the mask called null is called by its name: formats read the word as no value."""
    if spec is None:
        return "null"
    if isinstance(spec, dict):
        key = next((k for k in NAME_KEYS if k in spec), None)
        if key is not None and spec[key] is None:
            return {**spec, key: "null"}
    return spec


def _steps(spec: Any, where: str) -> Path_:
    """The place within a spec that a problem's dotted ``where`` names; keys may hold dots themselves."""
    path: Path_ = ()
    while where:
        if isinstance(spec, dict):
            found = max((k for k in spec if where == k or where.startswith(f"{k}.")), key=len, default=None)
            if found is None:
                break
            path, spec, where = (*path, found), spec[found], where[len(found) + 1 :]
        else:
            step, _, where = where.partition(".")
            if not (isinstance(spec, list) and step.isdigit() and int(step) < len(spec)):
                break
            path, spec = (*path, int(step)), spec[int(step)]
    return path
