"""Patterns in double quotes, as people write them in YAML."""

from __future__ import annotations

import pytest
import yaml

from dbmask.policy import Policy
from dbmask.text.quoting import literal_patterns


@pytest.mark.parametrize(
    ("text", "pattern", "lines"),
    [
        (r'pattern: "\b\d{5}\b"', r"\b\d{5}\b", (1,)),
        (r'pattern: "\bABC\b"', r"\bABC\b", (1,)),
        (r'"pattern": "\d"', r"\d", (1,)),
        ('a: 1\n- {x: y, pattern: "\\d" }'.replace("a: 1\n- ", ""), r"\d", (1,)),
        (r'pattern: "it' "'" r's \d"', r"it's \d", (1,)),
        (r'pattern: "a\"b\d"', r"a\"b\d", (1,)),
        (r'pattern: "\\b\\d{5}\\b"', r"\b\d{5}\b", ()),
        (r'pattern: "plain"', "plain", ()),
        (r"pattern: '\d'", r"\d", ()),
        (r"pattern: \d", r"\d", ()),
    ],
)
def test_patterns_are_read_literally(text: str, pattern: str, lines: tuple[int, ...]) -> None:
    repaired, found = literal_patterns(text)
    assert found == lines
    assert yaml.safe_load(repaired)["pattern"] == pattern


def test_other_keys_and_texts_are_left_alone() -> None:
    text = 'value: "a\\tb"\nnote: \'pattern: "\\d"\'\nmy_pattern: "\\t"\n'
    assert literal_patterns(text) == (text, ())


def test_lines_are_counted() -> None:
    assert literal_patterns('a: 1\nb:\n  pattern: "\\d"\n  x: 1\nc: {pattern: "\\w"}\n')[1] == (3, 5)


def test_a_policy_with_such_a_pattern_works_and_warns() -> None:
    text = r"""version: 1
tables:
  t:
    columns:
      c:
        mask: text
        matchers: {regex: [{label: ZIP, pattern: "\b\d{5}\b"}]}
        masks: [{label: ZIP, masks: [redact]}]
"""
    policy = Policy.from_text(text, "yaml", "p.yaml")
    assert [str(n) for n in policy.notes] == [
        "p.yaml:7: a pattern in double quotes was read literally (put patterns in single quotes)"
    ]
    mask = policy.tables[0].columns[0].mask
    assert mask.matchers.regex[0].pattern == r"\b\d{5}\b"  # type: ignore[attr-defined]
