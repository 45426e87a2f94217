"""Other tools' names of masks and parameters mean ours."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.masks.build import build_mask

PAIRS: list[tuple[Any, Any]] = [
    ("do_nothing", "keep"),
    ({"type": "from_fixed", "value": "X"}, {"mask": "fixed", "value": "X"}),
    ({"type": "from_choices", "choices": ["a", "b"]}, {"mask": "dictionary", "values": ["a", "b"]}),
    (
        {"type": "from_file", "seed_file": "f.csv", "seed_column": "n"},
        {"mask": "dictionary", "file": "f.csv", "column": "n"},
    ),
    ({"type": "transform_case", "transform": "uppercase"}, {"mask": "case", "transform": "uppercase"}),
    ({"type": "take_substring", "start_index": 0, "end_index": 2}, {"mask": "substring", "end_index": 2}),
    (
        {"type": "replace_substring", "start_index": 1, "end_index": 2, "masks": ["redact"]},
        {"mask": "replace", "start_index": 1, "end_index": 2, "masks": ["redact"]},
    ),
    (
        {"type": "replace_regex", "regex": "a", "masks": ["redact"]},
        {"mask": "regex", "regex": "a", "masks": ["redact"]},
    ),
    ("imitate_uuid", "uuid"),
    ({"type": "concat", "masks": ["keep"], "glue": "-"}, {"mask": "concat", "masks": ["keep"], "glue": "-"}),
    ({"strategy": "chain", "masks": ["keep"]}, {"mask": "chain", "masks": ["keep"]}),
]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda v: str(v)[:50])
def test_a_name_of_theirs_builds_ours(theirs: Any, ours: Any) -> None:
    assert build_mask(theirs) == build_mask(ours)
