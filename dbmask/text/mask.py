"""text: parts of a text found by matchers and masked by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dbmask.errors import BindError, KeySourceError, MaskError, UsageError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType
from dbmask.text.compile import Compiled, compile_text
from dbmask.text.config import AiService, HashSource, LabelMasks, Matchers
from dbmask.text.report import TextReport
from dbmask.text.steps import Step

__all__ = ["Text", "TextBound"]


@dataclass(frozen=True, kw_only=True)
class Text(Mask):
    """Free text: ``matchers`` find stretches of it and give them labels, ``masks`` say what becomes of each label.

    Where a text cannot be searched or masked, ``fallback_masks`` replace it whole; without them the run fails.
    ``on_nothing`` says what happens to a text in which nothing was found. ``hash_sources`` and ``hash_columns`` say
    what a masked entity depends on: by default the entity itself, so that it is masked as a column's value would be.
    """

    name: ClassVar[str] = "text"
    aliases: ClassVar[tuple[str, ...]] = ("unstructured_text",)
    profiles: ClassVar[frozenset[str]] = frozenset({"clone", "view", "inline", "file", "spark"})
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            "Call 555-867-5309.",
            "Call ************.",
            {
                "matchers": {"regex": [{"label": "PHONE", "pattern": r"\d{3}-\d{3}-\d{4}"}]},
                "masks": [{"label": "PHONE", "masks": ["redact"]}],
            },
        ),
        Case(
            "Patient SARAH arrived",
            "Patient ***** arrived",
            {
                "matchers": {"context_sources": [{"label": "NAME", "column": "first_name"}]},
                "masks": [{"label": "NAME", "masks": ["redact"]}],
            },
            row={"first_name": "Sarah"},
        ),
    )

    matchers: Matchers
    masks: tuple[LabelMasks, ...] = ()
    fallback_masks: tuple[Step, ...] = ()
    hash_sources: Annotated[tuple[HashSource, ...], Field(min_length=1)] | None = None
    hash_columns: tuple[str, ...] = ()
    random: bool = False
    on_nothing: Literal["keep", "redact", "fail"] = "keep"
    ai: AiService | None = None

    def __post_init__(self) -> None:
        masked = [item.label for item in self.masks]
        twice = sorted({label for label in masked if masked.count(label) > 1})
        if twice:
            raise ValueError(f"the label {twice[0]} has masks twice")
        bare = dict.fromkeys(rule.label for rule in self.matchers.rules() if rule.label not in masked)
        if bare:
            raise ValueError(f"no masks for the label {', '.join(bare)} (use `do_nothing` to detect without masking)")

    @property
    def sources(self) -> tuple[HashSource, ...]:
        """What an entity depends on where its label does not say: by default itself; columns that are named stand alone."""
        columns = tuple(HashSource(column=name) for name in self.hash_columns)
        return (self.hash_sources or (() if columns else (HashSource(self="entity"),))) + columns

    def redaction(self) -> Mask:
        """What replaces a whole text where no fallback masks are given."""
        return build_mask("redact")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others, and for columns, files, patterns and types that are not there."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"text masks parts of texts, and the column is {type_}", "use fixed, null or hash")
        try:
            compiled = compile_text(self, columns, keys)
        except (BindError, KeySourceError):
            raise
        except UsageError as error:  # a package that is not installed
            raise BindError(str(error)) from None
        return TextBound(columns, compiled)


@dataclass
class TextBound:
    """A text mask on its column; its inputs are the text and the columns that matchers, sources and masks read."""

    columns: Columns
    compiled: Compiled
    report: TextReport = field(init=False)

    def __post_init__(self) -> None:
        self.report = self.compiled.engine.report

    def count_into(self, report: TextReport) -> None:
        """Count into a report of several masks."""
        self.report = self.compiled.engine.report = report

    @property
    def inputs(self) -> tuple[str, ...]:
        """The text, and the columns beside it."""
        return (self.columns.target.name, *self.compiled.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The text."""
        return (self.columns.target.name,)

    @property
    def promises(self) -> Promises:
        """Nothing of the values: a text may stay as it is, and one that cannot be masked raises where there is no fallback."""
        type_: ColumnType = self.columns.target.type
        return Promises(
            type=type_,
            value_only=self.compiled.value_only,
            total=False,
            keyed=self.compiled.keyed,
            unchanged=1.0,
            warnings=self.compiled.notes,
        )

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Mask a batch of texts. Raises MaskError."""
        texts = columns[0]
        at = [i for i, text in enumerate(texts) if text is not None and text != ""]
        if not at:
            return [list(texts)]
        rows: Mapping[str, list[Any]] = {
            name: [values[i] for i in at] for name, values in zip(self.inputs[1:], columns[1:], strict=True)
        }
        given = [texts[i] for i in at]
        if self.columns.target.type.padded or set(map(type, given)) != {str}:
            given = list(map(self._text, given))
        masked = self.compiled.engine.outputs(given, rows)
        if len(masked) == len(texts):
            return [masked]
        made = list(texts)
        for i, output in zip(at, masked, strict=True):
            made[i] = output
        return [made]

    def _text(self, value: Any) -> str:
        if isinstance(value, bytes):  # SQLite's text columns may hold them
            return value.decode("utf-8", "surrogateescape")
        if isinstance(value, str):
            return value.rstrip(" ") if self.columns.target.type.padded else value
        raise MaskError(f"{self.compiled.engine.place}: text: a value is no text")

    def sql(self, exprs: Sequence[Any], dialect: Any) -> None:
        """No database can search texts as this does."""
        return None
