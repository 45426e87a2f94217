"""The text mask of a file of its own, or of one of a policy's columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.errors import UsageError
from dbmask.policy.texts import load_text

BLOCK = "{matchers: {regex: [{label: N, pattern: '[0-9]+'}]}, masks: [{label: N, masks: [redact]}]}"


def test_a_file_of_matchers_has_no_columns_to_choose_from(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(BLOCK, "utf-8")
    mask, policy = load_text(str(file))
    assert mask.name == "text"
    assert policy.tables == ()
    with pytest.raises(UsageError, match=r"r\.yaml is no policy with tables, so it has no column note\.body"):
        load_text(str(file), "note.body")


def test_a_policy_chooses_by_column(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    texts = BLOCK.replace("{matchers", "{mask: text, matchers", 1)
    file.write_text(f"version: 1\ntables: {{note: {{columns: {{a: {texts}, b: {texts}}}}}}}", "utf-8")
    mask, policy = load_text(str(file), "note.b")
    assert mask.name == "text"
    assert len(policy.tables) == 1
    with pytest.raises(UsageError, match=r"note\.a"):
        load_text(str(file))
