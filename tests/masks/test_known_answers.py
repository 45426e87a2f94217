"""No masked value changes: every mask gives what ``known_answers.json`` has always said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.masks.known_answers import FILE, made_now, masks_with_answers

KNOWN: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))


@pytest.mark.parametrize("entry", KNOWN, ids=lambda e: f"{e['mask']}-{e['params']}"[:60])
def test_a_known_answer_stands(entry: dict[str, Any]) -> None:
    assert made_now(entry) == entry["made"]


def test_every_mask_is_known() -> None:
    unknown = masks_with_answers() - {e["mask"] for e in KNOWN}
    assert not unknown, "run `python -m tests.masks.known_answers` and commit what it adds"
