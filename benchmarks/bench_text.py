"""Free text: a dictionary of 10,000 words and 10 patterns on notes of 180 characters, against Presidio's own recognizers.

The other rival is what one writes by hand: a compiled ``re`` for each pattern, and a set of words looked up word by
word. Presidio runs in an environment of its own; rivals are measured on fewer notes and scaled.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import Result, report
from presidio import seconds_per_text

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.ner import mask as ner_mask
from dbmask.ner.gazetteer import entries
from dbmask.policy import Policy
from dbmask.text import TextMasker
from dbmask.text.batch import Batch
from dbmask.text.spans import merge_all

SIZES = (5_000, 20_000, 80_000)
WORDS = 10_000
CLONES = (50_000, 250_000, 1_000_000)
KEY = b"a benchmark's key, 32 bytes long"
RIVAL_NOTES = 300
PATTERNS = (
    r"\b\d{5}\b",
    r"\b[A-Z]{3}-\d{4}\b",
    r"\b\d{3}-\d{3}-\d{4}\b",
    r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}",
    r"\b\d{4}-\d{2}-\d{2}\b",
    r"https?://\S+",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"MRN[ :]*\d+",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"(?i)case no\.? ?\d+",
)
_PROSE = """
    the patient reported pain in left knee after fall yesterday and was given medication with follow up visit scheduled
    blood pressure normal no fever call back tomorrow morning seen by doctor
"""
PROSE = re.findall(r"\w+", _PROSE)


def dictionary() -> list[str]:
    """Ten thousand names."""
    names = [
        n for code in ("en", "fr", "cs") for kind in ("last", "first") for n in entries(f"{kind}_{code}") if len(n) > 2
    ]
    found = list(dict.fromkeys(names))
    random.Random(1).shuffle(found)  # noqa: S311 - no secret
    return found[:WORDS]


def notes(count: int, names: Sequence[str]) -> list[str]:
    """Prose of 180 characters with a name in it here and there, and a number in every third."""
    draw = random.Random(2)  # noqa: S311 - no secret
    made = []
    for _ in range(count):
        text = ""
        while len(text) < 175:
            chance = draw.random()
            word = draw.choice(PROSE)
            if chance < 0.05:
                word = draw.choice(names)
            elif chance < 0.065:
                word = draw.choice(("555-867-5309", "2024-03-01", "90210"))
            text += word + " "
        made.append(text[:180])
    return made


def timed(run: Callable[[], object], runs: int = 5) -> float:
    """The median of some runs after a warm-up, in seconds of CPU: what one core does, whatever else the machine does."""
    run()
    times = []
    for _ in range(runs):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return statistics.median(times)


def masker(folder: Path, names: Sequence[str], mask: str) -> TextMasker:
    """Dictionary and patterns; ``mask`` stands on the names."""
    return TextMasker(rules(names, folder, mask), KEY, folder=folder)


def rules(names: Sequence[str], folder: Path, mask: str) -> dict[str, Any]:
    """The parameters of the text mask; its list of words is written to ``folder``."""
    (folder / "words.csv").write_text("\n".join(["word", *names]), "utf-8")
    whole = [{"type": "match_whole_words_only"}]
    labels = [f"PATTERN_{i}" for i in range(len(PATTERNS))]
    patterns = [{"label": label, "pattern": p} for label, p in zip(labels, PATTERNS, strict=True)]
    seeds = [{"label": "NAME", "seed_file": str(folder / "words.csv"), "context_filters": whole}]
    masks = [{"label": "NAME", "masks": [mask]}, *({"label": label, "masks": ["redact"]} for label in labels)]
    return {"matchers": {"regex": patterns, "seed_files": seeds}, "masks": masks}


def found(made: TextMasker, texts: Sequence[str]) -> None:
    """Matching and spans, without masks."""
    engine = made._engine
    for at in range(0, len(texts), 2_000):
        batch = Batch(texts[at : at + 2_000])
        merge_all((hit for finder in engine.finders for hit in finder.find(batch).hits), len(batch.texts))


def by_hand(names: Sequence[str]) -> tuple[str, Callable[[str], object]]:
    """A compiled pattern for each, and words in a set."""
    compiled = [re.compile(p) for p in PATTERNS]
    known = {n.lower() for n in names}
    word = re.compile(r"\w+")

    def search(text: str) -> object:
        spans = [m.span() for p in compiled for m in p.finditer(text)]
        return spans + [m.span() for m in word.finditer(text) if m[0].lower() in known]

    return "re and a set, by hand", search


def clones(names: Sequence[str], folder: Path, each: float, rival: str) -> list[Result]:
    """SQLite to SQLite with such a column, reading, writing and verification included."""
    note = dict(rules(names, folder, "first_name"), mask="text")
    columns = {"note": note, "*": "keep"}
    policy = json.dumps({"version": 1, "tables": {"big": {"columns": columns}}})
    made = []
    for size in CLONES:
        source = folder / f"source{size}.db"
        with contextlib.closing(sqlite3.connect(source)) as db, db:
            db.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, note TEXT)")
            db.executemany("INSERT INTO big VALUES (?, ?)", enumerate(notes(size, names)))

        def run(source: Path = source) -> None:
            loaded = Policy.from_text(policy)
            clone(loaded, f"sqlite:///{source}", f"sqlite:///{folder}/t.db", keys=example_keys(), overwrite=True)

        made.append(Result("text: a clone of such rows", size, timed(run, 1), rival, each * size, ">= 50,000/s"))
        source.unlink()
    return made


def main() -> None:
    """Matching alone, then masking, then entities."""
    names = dictionary()
    texts = notes(max(SIZES), names)
    rival, search = by_hand(names)
    each = timed(lambda: [search(t) for t in texts[:RIVAL_NOTES]], 3) / RIVAL_NOTES
    rivals = {rival: each}
    theirs = seconds_per_text(PATTERNS, names, texts[:RIVAL_NOTES])
    if isinstance(theirs, str):
        print(f"not measured: {theirs}", file=sys.stderr, flush=True)
    else:
        rivals["Presidio"] = theirs
    with tempfile.TemporaryDirectory() as folder:
        made = masker(Path(folder), names, "first_name")
        for name, cost in rivals.items():
            report(
                [
                    Result(
                        "text: 10k words, 10 patterns",
                        n,
                        timed(lambda n=n: found(made, texts[:n])),
                        name,
                        cost * n,
                        "<= 10 us",
                    )
                    for n in SIZES
                ]
            )
        whole = [
            Result(
                "text: the same with masks",
                n,
                timed(lambda n=n: made.mask_many(texts[:n]), 3),
                rival,
                each * n,
                ">= 50,000/s",
            )
            for n in SIZES
        ]
        report(whole)
        report(clones(names, Path(folder), each, rival))
    some = texts[:300]
    seconds = timed(lambda: ner_mask(some, "en"), 3)
    report([Result("ner: 180 characters", len(some), seconds, rival, each * len(some), "no rival by rules")])


if __name__ == "__main__":
    main()
