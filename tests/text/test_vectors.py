"""The vectors of text masking: spans, outputs and errors, as the specification decided them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmask.errors import DbmaskError
from dbmask.text import TextMasker

FILE = Path(__file__).parents[1] / "vectors" / "text.yaml"
DATA: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
KEY = b"a key for tests, of 32 bytes ...!"
SAYS = {
    "label_not_upper_case": "must be in UPPER_CASE",
    "context_sources_needs_row": "no row was given",
    "ai_detect_failed": "ai_detect failed",
}


def stub(vector: dict[str, Any]) -> Any:
    answer: Any = vector.get("ai_stub")

    def ai(texts: Any, labels: Any) -> Any:
        if answer == "error":
            raise ConnectionError("the network is down")
        found = []
        for text in texts:
            at = [(text.index(a["text"]), a) for a in answer or ()]
            found.append([(i, i + len(a["text"]), a["label"]) for i, a in at])
        return found

    return None if answer is None else ai


def matchers_of(vector: dict[str, Any]) -> tuple[Any, bool]:
    if "matchers_yaml" not in vector:
        return vector["matchers"], False
    from dbmask.text.quoting import literal_patterns

    text, lines = literal_patterns(vector["matchers_yaml"])
    return yaml.safe_load(text), bool(lines)


def masker_of(vector: dict[str, Any], folder: Path) -> TextMasker:
    for name, columns in vector.get("seed_files", {}).items():
        with (folder / name).open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    config = {"matchers": matchers_of(vector)[0], "masks": vector["masks"]}
    if "fallback_masks" in vector:
        config["fallback_masks"] = vector["fallback_masks"]
    return TextMasker(config, KEY, stub(vector), folder)


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda v: v["id"])
def test_vector(vector: dict[str, Any], tmp_path: Path) -> None:
    expect = vector["expect"]
    if "error" in expect:
        with pytest.raises(DbmaskError, match=SAYS[expect["error"]]):
            masker_of(vector, tmp_path).mask(vector["text"], vector.get("row"))
        return
    result = masker_of(vector, tmp_path).mask(vector["text"], vector.get("row"))
    if "output" in expect:
        assert result.output == expect["output"]
    else:
        assert re.search(expect["output_regex"], result.output)
    if isinstance(expect["spans"], list):
        found = [(s.start, s.end, s.label, vector["text"][s.start : s.end]) for s in result.spans]
        assert found == [(s["start"], s["end"], s["label"], s["text"]) for s in expect["spans"]]
    else:
        assert result.failed and not result.spans
    if expect.get("warning") == "pattern_double_quoted":
        assert matchers_of(vector)[1]
