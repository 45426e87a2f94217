"""A rules file (``{path: strategy}`` or ``{path: {strategy, ...parameters}}``) compiled to masks.

Rules mode is no flag inside masks: each strategy becomes the mask of the same name with its parameters said in full, so
that a digest, a bracket or a seeded number is what the rules' original program gives. Any other mask of dbmask may
be named as well, and means there what it means in a policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmask.errors import PolicyError, Problem
from dbmask.masks.base import Mask, nearest
from dbmask.masks.build import NAME_KEYS, build_mask
from dbmask.policy.document import Document
from dbmask.policy.read import from_data, read
from dbmask.registry import mask_class, mask_names

__all__ = ["STRATEGIES", "Rule", "RulesError", "load_rules", "rules_from_dict"]

STRATEGIES = ("drop", "generalize", "hash", "keep", "noise", "redact")
"""The strategies of rules files; every other name is a mask of policies."""


class RulesError(PolicyError, ValueError):
    """The rules are wrong; ``problems`` names each place. A ValueError too, as the original raises."""


@dataclass(frozen=True)
class Rule:
    """One rule: the dotted ``path`` of the field, what its values go through, and where it was written.

    ``classic`` says that the mask was made of a strategy: it is given every value as ``str`` makes it of the value.
    ``default`` is what a generalized value becomes where it cannot be generalized; None for other masks.
    """

    path: str
    mask: Mask
    where: str = ""
    classic: bool = True
    default: str | None = None

    @property
    def keeps(self) -> bool:
        """Whether the field passes unchanged."""
        return self.mask.name == "keep"

    @property
    def drops(self) -> bool:
        """Whether the field is absent from the output."""
        return self.mask.name == "drop"


def load_rules(path: str | Path, salt: str = "") -> tuple[Rule, ...]:
    """Read a rules file (JSON, YAML or TOML by its ending); ``salt`` is for hashes without a salt of their own.

    Raises RulesError with every problem, each with file and line.
    """
    try:
        document = read(path)
    except PolicyError as error:
        raise RulesError(error.problems) from None
    return _compiled(document, salt)


def rules_from_dict(rules: Mapping[str, Any], salt: str = "") -> tuple[Rule, ...]:
    """Compile rules given as plain data. Raises RulesError with every problem."""
    if not isinstance(rules, Mapping):
        raise RulesError([Problem("rules", "must be a mapping of field to strategy")])
    return _compiled(from_data(rules), salt)


def _compiled(document: Document, salt: str) -> tuple[Rule, ...]:
    data = document.data
    if not isinstance(data, dict):
        document.fail((), "rules are a mapping of field to strategy")
        data = {}
    elif not data and not document.problems:
        document.fail((), "holds no rules", "write at least one `field: strategy`")
    if not isinstance(salt, str):
        raise RulesError([Problem("salt", "must be a text")])
    made = [rule for path, spec in data.items() if (rule := _rule(document, path, spec, salt)) is not None]
    _check_overlaps(document, made)
    if document.problems:
        raise RulesError(document.problems)
    return tuple(made)


def _rule(document: Document, path: str, spec: Any, salt: str) -> Rule | None:
    named = _named(document, path, spec)
    if named is None:
        return None
    if not path or any(not part for part in path.split(".")):
        document.fail((path,), f"{path!r} is no path of a field", "write names with single dots between them")
        return None
    name, params = named
    known = mask_class(name)
    if known is None:
        hint = nearest(name, STRATEGIES) or nearest(name, mask_names())
        document.fail((path,), f"there is no strategy {name!r}", hint)
        return None
    if "file" not in known.profiles:
        document.fail((path,), f"{known.name} cannot run over a file")
        return None
    classic = known.name in STRATEGIES and params.get("keyed") is not True
    try:
        mask = build_mask({"mask": known.name, **(_full(known.name, params, salt) if classic else params)})
    except PolicyError as error:
        for problem in error.problems:
            place = tuple(p for p in (path, *problem.where.split(".")) if p)
            document.fail(place, f"{path}: {problem.what}", problem.hint)
        return None
    default = getattr(mask, "default", None) if known.name == "generalize" else None
    return Rule(path, mask, document.where((path,)), classic, default)


def _named(document: Document, path: str, spec: Any) -> tuple[str, dict[str, Any]] | None:
    """The strategy's name and its parameters; what is wrong is noted."""
    if spec is None:
        document.fail((path,), f"{path} has no strategy", f"one of {', '.join(STRATEGIES)}")
        return None
    if isinstance(spec, str):
        return spec, {}
    key = next((k for k in ("strategy", *NAME_KEYS) if isinstance(spec, dict) and k in spec), None)
    if key is None or not isinstance(spec[key], str):
        document.fail((path,), f"{path} is no rule", "write a strategy's name, or a mapping with `strategy:`")
        return None
    return spec[key], {k: v for k, v in spec.items() if k != key}


def _full(name: str, params: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """A strategy's parameters with everything said that rules leave open."""
    made = dict(params)
    if name == "hash":
        made = {"keyed": False, "salt": salt, "on_null": "", **params}
        made.setdefault("on_empty", _digest_of_nothing(made))
    elif name == "redact":
        made.setdefault("on_null", "")
    elif name == "generalize":
        made.setdefault("on_empty", params.get("default", "Others"))
    elif name == "noise":
        made.setdefault("on_invalid", "error")
        if made.get("seed") is None:
            made.setdefault("random", True)
        elif made.get("epsilon") is not None:
            made.setdefault("seed_voids_privacy", True)
        if made.get("epsilon") is not None and made.get("mechanism") != "laplace":
            made.setdefault("calibration", "classic")
    return made


def _digest_of_nothing(params: Mapping[str, Any]) -> str | None:
    """The digest of the empty text; None where the parameters are wrong, which the mask itself will say."""
    algo, salt, length = params.get("algo", "sha256"), params["salt"], params.get("length")
    usable = isinstance(algo, str) and algo in hashlib.algorithms_available and isinstance(salt, str)
    if not usable or hashlib.new(algo).digest_size == 0:
        return None
    return hashlib.new(algo, salt.encode()).hexdigest()[: length if isinstance(length, int) else None]


def _check_overlaps(document: Document, rules: Sequence[Rule]) -> None:
    """A field that is masked as a whole has no fields left to mask inside it."""
    for outer in rules:
        inner = next((r for r in rules if r.path.startswith(f"{outer.path}.")), None)
        if inner is not None and not outer.keeps and not outer.drops:
            what = f"{outer.path} is masked as a whole, and {inner.path} within it"
            document.fail((inner.path,), what, "leave one of the two rules out")
