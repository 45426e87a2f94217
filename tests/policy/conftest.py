"""Masks with parameters of every shape, and nothing behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import AliasChoices, Field

from dbmask import registry
from dbmask.errors import PolicyError, Problem
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, ValueMask
from dbmask.masks.build import FileName, InnerMask, build_mask

STRICT = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One context source."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    label: str
    column: str
    case_sensitive: bool = False
    context_filters: list[Any] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Composite(ValueMask):
    """Masks within a mask."""

    name: ClassVar[str] = "composite"

    masks: list[InnerMask] = field(default_factory=list)
    paths: dict[str, InnerMask] = field(default_factory=dict)
    then: InnerMask | None = None
    value: int | str | None = None
    file: FileName | None = None
    parts: list[Source] = field(default_factory=list)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand where the mask that it stands in for would stand."""
        return build_mask("keep").bind(columns, keys)


@dataclass(frozen=True, kw_only=True)
class Checked(ValueMask):
    """A mask with a parameter that is called type, and one that refers to its own class."""

    name: ClassVar[str] = "checked"

    type: str
    source: Source | None = None
    again: Checked | None = None

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand where the mask that it stands in for would stand."""
        return build_mask("keep").bind(columns, keys)


@dataclass(frozen=True, kw_only=True)
class Listed(ValueMask):
    """A mask whose parameters have other names too."""

    name: ClassVar[str] = "listed"
    aliases: ClassVar[tuple[str, ...]] = ("from_list",)

    file: Annotated[FileName, Field(validation_alias=AliasChoices("file", "seed_file"))]
    column: Annotated[str | None, Field(validation_alias=AliasChoices("column", "seed_column"))] = None

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand where the mask that it stands in for would stand."""
        return build_mask("keep").bind(columns, keys)


@dataclass(frozen=True, kw_only=True)
class Odd(ValueMask):
    """A mask of somebody else's, which says where it does not like itself."""

    name: ClassVar[str] = "odd"

    at: str
    listed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        raise PolicyError([Problem(self.at, "is odd")])

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand where the mask that it stands in for would stand."""
        return build_mask("keep").bind(columns, keys)


@pytest.fixture
def more_masks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The masks above, among those that are installed."""
    classes = {**registry.mask_classes(), **{c.name: c for c in (Composite, Checked, Listed, Odd)}}
    monkeypatch.setattr(registry, "mask_classes", lambda: classes)
    monkeypatch.setattr("dbmask.policy.jsonschema.mask_classes", lambda: classes)
    registry._by_any_name.cache_clear()
    yield
    registry._by_any_name.cache_clear()
