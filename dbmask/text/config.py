"""What a policy may say about a text: matchers, context filters, masks per label. Plain frozen data, checked by pydantic.

The shapes are those of the policy; nothing is opened, compiled or bound here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from dbmask.masks.base import nearest
from dbmask.masks.build import FileName
from dbmask.text.ai.presets import PRESETS
from dbmask.text.steps import Step

__all__ = [
    "MATCHERS",
    "AddPrefix",
    "AddSuffix",
    "AiDetect",
    "AiService",
    "Annotation",
    "Checksum",
    "ContextFilter",
    "ContextSource",
    "Example",
    "HashSource",
    "LabelMasks",
    "MatchWholeWordsOnly",
    "Matchers",
    "Ner",
    "Pattern",
    "PatternFilter",
    "Rule",
    "SeedFile",
]

MATCHERS = ("context_sources", "seed_files", "ai_detect", "ner", "checksum", "regex")
"""The matchers, from the highest priority to the lowest."""

_LABEL = re.compile(r"[A-Z][A-Z0-9_]*\Z")


def _label(text: str) -> str:
    if not _LABEL.match(text):
        raise ValueError(f"the label {text!r} must be in UPPER_CASE: letters A-Z, digits and underscores")
    return text


def _no_backspace(pattern: str) -> str:
    if "\b" in pattern:
        raise ValueError(
            "the pattern holds a backspace character: \\b was read as an escape; put the pattern in single quotes"
        )
    return pattern


Label = Annotated[str, AfterValidator(_label)]
Regex = Annotated[str, Field(min_length=1), AfterValidator(_no_backspace)]
Text_ = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class _Config:
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class MatchWholeWordsOnly(_Config):
    """Reject a match that begins or ends inside a word."""

    type: Literal["match_whole_words_only"] = "match_whole_words_only"


@dataclass(frozen=True, kw_only=True)
class PatternFilter(_Config):
    """Reject a match in which ``pattern`` is found (exclude) or is not found (include).

    ``scope``: the match itself, the text before or after it, or a ``window`` of ``width`` characters either side with
    the match in it; before and after look as far as ``width`` too.
    """

    type: Literal["include_pattern", "exclude_pattern"]
    pattern: Regex
    scope: Literal["match", "before", "after", "window"] = "match"
    width: Annotated[int, Field(ge=1, le=10_000)] = 100


@dataclass(frozen=True, kw_only=True)
class AddPrefix(_Config):
    """Extend a match to a ``prefix`` that stands right before it."""

    type: Literal["add_prefix"] = "add_prefix"
    prefix: Text_


@dataclass(frozen=True, kw_only=True)
class AddSuffix(_Config):
    """Extend a match to a ``suffix`` that stands right behind it."""

    type: Literal["add_suffix"] = "add_suffix"
    suffix: Text_


ContextFilter = Annotated[MatchWholeWordsOnly | PatternFilter | AddPrefix | AddSuffix, Field(discriminator="type")]


@dataclass(frozen=True, kw_only=True)
class Rule(_Config):
    """One entry of a matcher: the label that it gives, and the filters on what it finds."""

    matcher: ClassVar[str] = ""

    label: Label
    context_filters: tuple[ContextFilter, ...] = ()

    @property
    def why(self) -> str:
        """The rule in a few words, for those who ask why something was found."""
        return ""


@dataclass(frozen=True, kw_only=True)
class ContextSource(Rule):
    """The row's original value of ``column``, as a literal. ``inflect: cs`` also finds the forms of a Czech name."""

    matcher: ClassVar[str] = "context_sources"

    column: Text_
    case_sensitive: bool = False
    inflect: Literal["cs"] | None = None

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"column {self.column}"


@dataclass(frozen=True, kw_only=True)
class SeedFile(Rule):
    """The values of one column of a CSV file, as literals; ``builtin:NAME`` is a list in the package."""

    matcher: ClassVar[str] = "seed_files"

    seed_file: FileName
    seed_column: str | None = None
    case_sensitive: bool = False

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"list {self.seed_file}"


@dataclass(frozen=True, kw_only=True)
class Pattern(Rule):
    """A regular expression in RE2's syntax; ``engine: re`` allows look-around, with ``time_limit`` seconds a text."""

    matcher: ClassVar[str] = "regex"

    pattern: Regex
    engine: Literal["re2", "re"] = "re2"
    time_limit: Annotated[float, Field(gt=0, le=600)] = 1.0

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"pattern {self.pattern}"


@dataclass(frozen=True, kw_only=True)
class Checksum(Rule):
    """Numbers of one ``type`` whose check digit is right."""

    matcher: ClassVar[str] = "checksum"

    type: Text_

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"type {self.type}"


@dataclass(frozen=True, kw_only=True)
class Ner(Rule):
    """What dbmask's own detectors find: the entities of the kind that the label names, or of ``entity``.

    ``model`` is the name or path of a spaCy pipeline that must be there and adds to the detectors.
    """

    matcher: ClassVar[str] = "ner"

    entity: str | None = None
    language: Literal["en", "fr", "cs"] | None = None
    model: str | None = None

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"entity {self.entity or self.label}"


@dataclass(frozen=True, kw_only=True)
class Example(_Config):
    """A text with the entity in ``[...]``, and why it is one, or is none."""

    text: Text_
    reason: str | None = None


def _preset(name: str) -> str:
    if name not in PRESETS:
        hint = nearest(name, sorted(PRESETS)) or f"there are: {', '.join(sorted(PRESETS))}"
        raise ValueError(f"there is no preset {name!r} ({hint})")
    return name


@dataclass(frozen=True, kw_only=True)
class Annotation(_Config):
    """What a label means: exactly one of a preset and guidelines of one's own, the latter with examples."""

    use_preset: Annotated[str, AfterValidator(_preset)] | None = None
    guidelines: tuple[Text_, ...] = ()
    valid_examples: tuple[Example, ...] = ()
    invalid_examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        if (self.use_preset is None) == (not self.guidelines):
            raise ValueError("give exactly one of use_preset and guidelines")
        if self.use_preset is not None and (self.valid_examples or self.invalid_examples):
            raise ValueError("examples belong to guidelines, not to use_preset")
        for example in (*self.valid_examples, *self.invalid_examples):
            if not re.search(r"\[[^\[\]]+\]", example.text):
                raise ValueError("an example marks the entity with [...]")


@dataclass(frozen=True, kw_only=True)
class AiDetect(Rule):
    """Entities that a language model finds by guidelines."""

    matcher: ClassVar[str] = "ai_detect"

    annotation_config: Annotation

    @property
    def why(self) -> str:
        """The rule in a few words."""
        return f"preset {self.annotation_config.use_preset}" if self.annotation_config.use_preset else "guidelines"


@dataclass(frozen=True, kw_only=True)
class AiService(_Config):
    """Where ``ai_detect`` is answered: an OpenAI-compatible endpoint, or ``engine: rules`` for presets that rules serve.

    ``base_url`` and ``model`` come from DBMASK_AI_BASE_URL and DBMASK_AI_MODEL where they are not given; ``api_key``
    is ``env:NAME`` (DBMASK_AI_KEY). ``timeout`` is in seconds, ``price`` in ``currency`` per million tokens.
    """

    engine: Literal["endpoint", "rules"] = "endpoint"
    base_url: str | None = None
    model: str | None = None
    api_key: Annotated[str, Field(pattern=r"^env:.+")] = "env:DBMASK_AI_KEY"
    timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    batch: Annotated[int, Field(ge=1, le=100)] = 1
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    cache: FileName | None = None
    price_in: Annotated[float, Field(ge=0)] = 3.0
    price_out: Annotated[float, Field(ge=0)] = 15.0
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True)
class Matchers(_Config):
    """The rules of each matcher."""

    context_sources: tuple[ContextSource, ...] = ()
    seed_files: tuple[SeedFile, ...] = ()
    ai_detect: tuple[AiDetect, ...] = ()
    ner: tuple[Ner, ...] = ()
    checksum: tuple[Checksum, ...] = ()
    regex: tuple[Pattern, ...] = ()

    def __post_init__(self) -> None:
        if not any(getattr(self, f.name) for f in fields(self)):
            raise ValueError(f"there is no matcher; there are: {', '.join(MATCHERS)}")

    def rules(self) -> Iterator[Rule]:
        """Every rule in the order of rank: by the matcher's priority, then as declared."""
        for name in MATCHERS:
            yield from getattr(self, name)


@dataclass(frozen=True, kw_only=True)
class HashSource(_Config):
    """One thing that a masked entity depends on: itself, another label found in the text, or a column of the row."""

    self: Literal["entity"] | None = None
    label: Label | None = None
    column: Text_ | None = None

    def __post_init__(this) -> None:
        if sum(v is not None for v in (this.self, this.label, this.column)) != 1:
            raise ValueError("a hash source is one of `self: entity`, `label: NAME`, `column: NAME`")


@dataclass(frozen=True, kw_only=True)
class LabelMasks(_Config):
    """The masks of one label, applied one after the other. ``hash_sources`` and ``random`` stand above the text's own."""

    label: Label
    masks: tuple[Step, ...]
    hash_sources: tuple[HashSource, ...] | None = None
    random: bool = False

    def __post_init__(self) -> None:
        if not self.masks or self.hash_sources == ():
            raise ValueError(f"the label {self.label} needs one mask or more, and hash_sources are not empty")
