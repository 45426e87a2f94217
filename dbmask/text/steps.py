"""The masks of a label as a policy writes them, under dbmask's names or under those of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from dbmask.masks.base import Mask
from dbmask.masks.build import INNER_SCHEMA, inner_mask

__all__ = ["Step"]


@dataclass(frozen=True)
class MaskStep:
    """One mask of a label; ``random`` says that it draws afresh each time instead of from the entity."""

    mask: Mask
    random: bool = False


def _step(value: Any, info: ValidationInfo) -> MaskStep:
    if isinstance(value, MaskStep):
        return value
    if isinstance(value, Mask):
        return MaskStep(value)
    random = False
    if isinstance(value, Mapping) and "random" in value:
        random = value["random"]
        if not isinstance(random, bool):
            raise ValueError("random is true or false")
        value = {k: v for k, v in value.items() if k != "random"}
    return MaskStep(inner_mask(value, info), random)


Step = Annotated[MaskStep, PlainValidator(_step), WithJsonSchema(INNER_SCHEMA)]
"""The type of one item of ``masks``."""
