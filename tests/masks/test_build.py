"""From plain specs to masks: parameters of every depth are checked, and every problem names its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from dbmask import registry
from dbmask.errors import PolicyError, Problem
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, ValueMask
from dbmask.masks.build import FileName, InnerMask, build_mask, example_keys
from dbmask.masks.keep import Keep
from dbmask.masks.redact import Redact


@dataclass(frozen=True, kw_only=True)
class Part:
    """A parameter with parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    label: str
    more: dict[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Deep(ValueMask):
    """A mask with parameters of every shape."""

    name: ClassVar[str] = "deep"

    masks: list[InnerMask] = field(default_factory=list)
    some: Annotated[tuple[InnerMask, ...], Field(min_length=1)] = (Keep(),)
    parts: list[Part] = field(default_factory=list)
    one: Part | None = None
    value: int | str | None = None
    day: dt.date | None = None
    number: Decimal | None = None
    file: FileName = ""
    free: dict[str, Any] = field(default_factory=dict)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Stand where nothing is done."""
        return Keep().bind(columns, keys)


@pytest.fixture(autouse=True)
def deep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    classes = {**registry.mask_classes(), "deep": Deep}
    monkeypatch.setattr(registry, "mask_classes", lambda: classes)
    registry._by_any_name.cache_clear()
    yield
    registry._by_any_name.cache_clear()


def problems(spec: Any) -> list[Problem]:
    with pytest.raises(PolicyError) as error:
        build_mask(spec)
    return list(error.value.problems)


def test_masks_within_masks() -> None:
    made: Any = build_mask({"mask": "deep", "masks": ["keep", {"strategy": "redact", "keep_end": 4}]})
    assert made.masks == [Keep(), Redact(keep_end=4)]


def test_values_that_formats_read_as_more_than_json() -> None:
    made: Any = build_mask({"mask": "deep", "day": dt.date(2024, 2, 29), "number": Decimal("1.50")})
    assert (made.day, made.number) == (dt.date(2024, 2, 29), Decimal("1.50"))
    assert problems({"mask": "deep", "value": b"x"}) == [Problem("", "a parameter of deep is not plain data")]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"valeu": 1}, Problem("valeu", "deep has no parameter 'valeu'", "did you mean value?")),
        (
            {"value": []},
            Problem("value", "deep: value: input should be a valid integer, or input should be a valid string"),
        ),
        ({"one": {}}, Problem("one", "deep needs the parameter 'one.label'")),
        (
            {"one": {"label": "a", "lable": 1}},
            Problem("one.lable", "deep has no parameter 'one.lable'", "did you mean label?"),
        ),
        (
            {"one": {"label": "a", "more": {"k": {"label": "b", "lable": 1}}}},
            Problem("one.more.k.lable", "deep has no parameter 'one.more.k.lable'", "did you mean label?"),
        ),
        (
            {"parts": [{"label": "a"}, {"label": "b", "more": {"x.y": {"label": "c", "moer": {}}}}]},
            Problem("parts.1.more.x.y.moer", "deep has no parameter 'parts.1.more.x.y.moer'", "did you mean more?"),
        ),
        (
            {"masks": ["keep", {"mask": "redact", "keep_ned": 1}]},
            Problem("masks.1.keep_ned", "redact has no parameter 'keep_ned'", "did you mean keep_end?"),
        ),
        (
            {"masks": [{"mask": "deep", "masks": [{"mask": "hash", "length": 0}]}]},
            Problem("masks.0.masks.0.length", "hash: length: input should be greater than or equal to 1"),
        ),
        (
            {"some": ["readct"]},
            Problem("some.0", "there is no mask 'readct'", "did you mean redact?"),
        ),
        (
            {"some": []},
            Problem("some", "deep: some: tuple should have at least 1 item after validation, not 0"),
        ),
        (
            {"masks": [5]},
            Problem("masks.0", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ),
    ],
)
def test_every_problem_names_its_place(params: dict[str, Any], problem: Problem) -> None:
    assert problems({"mask": "deep", **params}) == [problem]


def test_no_problem_repeats_a_value() -> None:
    secret = "a value that nobody may see"  # noqa: S105 - made up, to be looked for
    for params in ({"value": [secret]}, {"day": secret}, {"number": secret}, {"parts": secret}, {"free": secret}):
        assert secret not in str(problems({"mask": "deep", **params}))


def test_names_of_files_are_relative_to_a_folder() -> None:
    spec = {"mask": "deep", "file": "a.csv"}
    made: list[Any] = [
        build_mask(spec),
        build_mask(spec, folder="/p"),
        build_mask({**spec, "file": "builtin:a"}, folder="/p"),
    ]
    assert [m.file for m in made] == ["a.csv", "/p/a.csv", "builtin:a"]


def test_masks_that_are_made_already_may_stand_inside() -> None:
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(InnerMask)
    assert adapter.validate_python(Redact(keep_end=1)) == Redact(keep_end=1)


def test_the_key_of_the_documentation_is_always_the_same() -> None:
    assert example_keys().fingerprint() == example_keys().fingerprint() != ""
