"""What happens to a text as a whole: failures, nothing found, reports, and what holds for any text."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError, UsageError
from dbmask.text import Span, TextMasker
from dbmask.text.spans import Part

KEY = b"a key for tests, of 32 bytes ...!"
DIGITS = {"regex": [{"label": "N", "pattern": r"\d+"}]}
STAR = [{"label": "N", "masks": [{"type": "fixed", "value": "#"}]}]
AI = {"ai_detect": [{"label": "A", "annotation_config": {"use_preset": "CITY"}}]}


def failing(texts: Any, labels: Any) -> Any:
    if any("bad" in t for t in texts):
        raise ValueError(f"secret {texts}")
    return [[] for _ in texts]


def with_ai(ai: Any, **more: Any) -> TextMasker:
    masks = [*STAR, {"label": "A", "masks": ["redact"]}]
    return TextMasker({"matchers": {**DIGITS, **AI}, "masks": masks, **more}, KEY, ai=ai)


def test_a_matcher_that_fails_on_one_text_replaces_that_one_only() -> None:
    made = with_ai(failing, fallback_masks=[{"type": "fixed", "value": "[ALL]"}])
    results = made.mask_many(["good 1", "bad 2", "good 3"])
    assert [r.output for r in results] == ["good #", "[ALL]", "good #"]
    assert results[1].failed == "ai_detect failed: ValueError"
    assert made.report.as_dict() == {
        "texts": 3,
        "spans": [{"label": "N", "matcher": "regex", "count": 2}],
        "replaced": {"ai_detect failed: ValueError": 1},
        "dropped_quotes": 0,
        "without_findings": 0,
        "rows_without_findings": [],
    }


def test_without_fallback_masks_the_run_fails_and_says_nothing_of_the_text() -> None:
    with pytest.raises(MaskError) as caught:
        with_ai(failing).mask("bad secret")
    message = str(caught.value)
    assert "text 1" in message and "fallback_masks" in message and "secret" not in message and "bad" not in message


@pytest.mark.parametrize(
    "answer",
    [
        [[(0, 99, "A")]],
        [[(3, 3, "A")]],
        [[(0, 1, "B")]],
        [[(-1, 2, "A")]],
        [],
        [[], []],
        None,
        [["x"]],
        [[(0, "1", "A")]],
    ],
)
def test_an_answer_that_does_not_fit_its_text_is_a_failure(answer: Any) -> None:
    made = with_ai(lambda texts, labels: answer, fallback_masks=["redact"])
    assert made.mask("Prague 1").output == "********"


def test_a_mask_that_fails_replaces_its_text_only() -> None:
    made = TextMasker(
        {
            "matchers": {"regex": [{"label": "N", "pattern": r"\w+"}]},
            "masks": [
                {
                    "label": "N",
                    "masks": [{"type": "when", "if": {"column": "x", "equals": "1"}, "then": "redact", "else": "null"}],
                }
            ],
            "fallback_masks": [{"type": "fixed", "value": "[ALL]"}],
        },
        KEY,
    )
    results = made.mask_many(["ab", "cd"], [{"x": "1"}, {"x": "2"}])
    assert [r.output for r in results] == ["**", "[ALL]"]
    assert "returned null" in results[1].failed


def test_masks_that_give_no_text_are_refused() -> None:
    for mask in ("null", "drop", "recompute"):
        with pytest.raises(BindError, match="cannot mask a part"):
            TextMasker({"matchers": DIGITS, "masks": [{"label": "N", "masks": [mask]}]})


@pytest.mark.parametrize(
    ("more", "output"),
    [
        ({}, "none"),
        ({"on_nothing": "redact"}, "****"),
        ({"on_nothing": "redact", "fallback_masks": [{"type": "fixed", "value": "-"}]}, "-"),
    ],
)
def test_a_text_in_which_nothing_is_found(more: dict[str, Any], output: str) -> None:
    made = TextMasker({"matchers": DIGITS, "masks": STAR, **more})
    assert made.mask("none").output == output
    assert made.mask("").output == ""
    assert made.report.as_dict()["rows_without_findings"] == ["text 1"]


def test_nothing_found_may_be_a_failure() -> None:
    made = TextMasker({"matchers": DIGITS, "masks": STAR, "on_nothing": "fail"})
    assert made.mask("1").output == "#"
    with pytest.raises(MaskError, match="text 2: nothing was found"):
        made.mask("none")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"matchers": DIGITS}, "no masks for the label N"),
        ({"matchers": DIGITS, "masks": []}, "no masks for the label N"),
        ({"matchers": DIGITS, "masks": [{"label": "N", "masks": []}]}, "needs one mask"),
        ({"matchers": DIGITS, "masks": [*STAR, *STAR]}, "has masks twice"),
        ({"matchers": {}, "masks": []}, "there is no matcher"),
        ({"matchers": {"regexes": []}, "masks": []}, "regexes"),
        ({"masks": STAR}, "matchers"),
        ({"matchers": {"regex": [{"label": "n", "pattern": "x"}]}, "masks": []}, "UPPER_CASE"),
        ({"matchers": {"regex": [{"label": "1N", "pattern": "x"}]}, "masks": []}, "UPPER_CASE"),
        ({"matchers": {"regex": [{"label": "N", "pattern": ""}]}, "masks": STAR}, "at least 1"),
        ({"matchers": {"regex": [{"label": "N", "pattern": "x", "flags": "i"}]}, "masks": STAR}, "flags"),
        (
            {
                "matchers": {"regex": [{"label": "N", "pattern": "x", "context_filters": [{"type": "whole"}]}]},
                "masks": STAR,
            },
            "context_filters",
        ),
        ({"matchers": DIGITS, "masks": [{"label": "N", "masks": ["redakt"]}]}, "no mask 'redakt'.*redact"),
        ({"matchers": DIGITS, "masks": [{"label": "N", "masks": [{"type": "redact", "keep": 1}]}]}, "no parameter"),
        ({"matchers": DIGITS, "masks": STAR, "on_nothing": "pass"}, "on_nothing"),
        ({"matchers": DIGITS, "masks": STAR, "fallback_masks": ["none"]}, "no mask 'none'"),
    ],
)
def test_what_is_wrong_is_said_before_any_text_is_read(config: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        TextMasker(config)


def test_a_mask_for_a_label_that_nobody_gives_is_a_warning() -> None:
    made = TextMasker({"matchers": DIGITS, "masks": [*STAR, {"label": "X", "masks": ["redact"]}]})
    assert made.warnings == ("no matcher gives the label X, so its masks are not used",)


def test_rows_that_do_not_fit() -> None:
    made = TextMasker({"matchers": {"context_sources": [{"label": "N", "column": "name"}]}, "masks": STAR})
    assert made.needs == ("name",)
    for rows, says in (([{}], "no column 'name'"), ([{"name": "x"}] * 2, "1 texts were given with 2 rows")):
        with pytest.raises(UsageError, match=says):
            made.mask_many(["x"], rows)
    with pytest.raises(UsageError, match="no row was given"):
        made.mask("x")


def test_explaining_a_text() -> None:
    config = {
        "matchers": {
            "context_sources": [
                {"label": "P", "column": "name", "context_filters": [{"type": "match_whole_words_only"}]}
            ],
            "regex": [{"label": "N", "pattern": r"\d+ T"}],
        },
        "masks": [{"label": label, "masks": ["redact"]} for label in "PN"],
    }
    result = TextMasker(config).mask("7 Tom, Tomas", {"name": "Tom"}, explain=True)
    assert result.spans == (Span(0, 5, "N", "regex"),)
    assert result.parts == (
        (Part(0, 3, "N", "regex", r"pattern \d+ T"), Part(2, 5, "P", "context_sources", "column name")),
    )
    assert result.rejected == ((Part(7, 10, "P", "context_sources", "column name"), "match_whole_words_only"),)


# -- what holds for any text -------------------------------------------------------------------------------------

ODD = st.text(st.sampled_from("aAbB1 2-\u0301éßıİ🙂\ud800\0\n\t.,"), max_size=40)
CONFIG: dict[str, Any] = {
    "matchers": {
        "context_sources": [{"label": "P", "column": "name"}],
        "seed_files": [
            {
                "label": "S",
                "seed_file": "builtin:first_names_en",
                "context_filters": [{"type": "match_whole_words_only"}],
            }
        ],
        "ner": [{"label": "DATE"}],
        "checksum": [{"label": "C", "type": "credit_card"}],
        "regex": [{"label": "N", "pattern": r"\d+"}, {"label": "W", "pattern": r"(?i)b\w"}],
    },
    "masks": [
        {"label": label, "masks": [{"type": "fixed", "value": "\u241f"}]} for label in ("P", "S", "DATE", "C", "N", "W")
    ],
}
MASKER = TextMasker(CONFIG, KEY)


@given(ODD, ODD)
def test_no_character_of_a_span_survives_and_all_others_do(text: str, name: str) -> None:
    result = MASKER.mask(text, {"name": name})
    at, expected = 0, ""
    for span in result.spans:
        assert at <= span.start < span.end <= len(text)
        expected += text[at : span.start] + "\u241f"
        at = span.end
    assert result.output == expected + text[at:]
    wanted = name.strip()
    if wanted and wanted.isascii():
        assert wanted not in result.output.split("\u241f") and wanted.lower() not in result.output.lower()


@given(st.lists(st.tuples(ODD, ODD), max_size=8), st.integers(1, 4))
def test_batches_do_not_matter(pairs: list[tuple[str, str]], size: int) -> None:
    texts, rows = [t for t, _ in pairs], [{"name": n} for _, n in pairs]
    whole = [r.output for r in MASKER.mask_many(texts, rows)]
    parts = [
        r.output for i in range(0, len(texts), size) for r in MASKER.mask_many(texts[i : i + size], rows[i : i + size])
    ]
    assert whole == parts == [MASKER.mask(t, r).output for t, r in zip(texts, rows, strict=True)]


SCRIPT = """
import json, sys
from dbmask.text import TextMasker
config = json.loads(sys.stdin.read())
made = TextMasker(config, b"a key for tests, of 32 bytes ...!")
print(json.dumps([r.output for r in made.mask_many(["Tom met Žofie 12", "TOM 34"])]))
"""


def test_processes_do_not_matter() -> None:
    import json

    config = {
        "matchers": {"regex": [{"label": "W", "pattern": r"\pL+"}, *DIGITS["regex"]]},
        "masks": [{"label": "W", "masks": ["first_name"]}, {"label": "N", "masks": ["hash"]}],
    }
    seen = set()
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=json.dumps(config),
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    made = [r.output for r in TextMasker(config, KEY).mask_many(["Tom met Žofie 12", "TOM 34"])]
    assert json.loads(seen.pop()) == made


@pytest.mark.slow
def test_a_very_long_text(tmp_path: Path) -> None:
    piece = (
        "The patient said nothing. Tom 🙂 číslo 12, karta 4111 1111 1111 1111; and so on and so forth, as it was. " * 20
    )
    text = piece * (5_000_000 // len(piece))
    whole = [{"type": "match_whole_words_only"}]
    (tmp_path / "names.csv").write_text("name\nTom\nOm\n")
    seed = {"label": "S", "seed_file": "names.csv", "context_filters": whole}
    config = {"matchers": {**DIGITS, "seed_files": [seed]}, "masks": [*STAR, {"label": "S", "masks": ["redact"]}]}
    made = TextMasker(config, folder=tmp_path)
    begun = time.monotonic()
    result = made.mask(text)
    assert time.monotonic() - begun < 60
    assert result.output == text.replace("Tom", "***").replace("12,", "#,").replace("4111 1111 1111 1111", "# # # #")


LONG = """
import resource, sys
from dbmask.text import TextMasker
size, folder = int(sys.argv[1]), sys.argv[2]
seed = {"label": "S", "seed_file": "names.csv", "context_filters": [{"type": "match_whole_words_only"}]}
config = {
    "matchers": {"regex": [{"label": "N", "pattern": "[0-9]+"}], "seed_files": [seed]},
    "masks": [{"label": label, "masks": ["redact"]} for label in "NS"],
}
made = TextMasker(config, folder=folder)
piece = "The patient, Tom, said nothing 🙂 of 12 things; and so on and so forth, as it was before and after. " * 10
made.mask(piece)
text = piece * (size // len(piece))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
limit = before * 1024 + 40 * size + (256 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
output = made.mask(text).output
assert output == text.replace("Tom", "***").replace("12", "**")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / len(text))
"""


@pytest.mark.slow
def test_a_long_text_takes_a_bounded_number_of_bytes_for_each_character(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("name\nTom\nOm\n")
    command = [sys.executable, "-c", LONG, "10000000", str(tmp_path)]
    environ = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    assert float(done.stdout) < 30  # of which the characters of source and result are eight


@pytest.mark.parametrize("matcher", ["regex", "seed_files", "context_sources"])
def test_a_text_with_more_matches_than_memory_is_spent_on_is_replaced_or_fails(
    matcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("batch", "regexes"):
        monkeypatch.setattr(f"dbmask.text.{module}.MOST_HITS", 1000)
    monkeypatch.setattr("dbmask.text.words._WINDOW", 500)
    (tmp_path / "names.csv").write_text("name\nx\n")
    rules: dict[str, Any] = {
        "regex": {"label": "X", "pattern": "x"},
        "seed_files": {"label": "X", "seed_file": "names.csv"},
        "context_sources": {"label": "X", "column": "name"},
    }
    config = {"matchers": {matcher: [rules[matcher]]}, "masks": [{"label": "X", "masks": ["redact"]}]}
    texts = ["x" * 1001, "x" * 1000, "y"]
    rows = [{"name": "x"}] * 3
    masker = TextMasker({**config, "fallback_masks": [{"type": "fixed", "value": "[GONE]"}]}, folder=tmp_path)
    assert masker.outputs(texts, rows) == ["[GONE]", "*" * 1000, "y"]
    assert masker.report.as_dict()["replaced"] == {f"{matcher} failed: there are more than 1,000 matches": 1}
    with pytest.raises(MaskError, match="there are more than 1,000 matches"):
        TextMasker(config, folder=tmp_path).outputs(texts, rows)
