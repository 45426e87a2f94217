"""A clone with free text: a million notes under 10,000 words and 10 patterns, SQLite to SQLite, verified.

Beside it stands the same masker on the same notes in memory: what the clone adds is reading, writing and verification.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from bench_text import PATTERNS, dictionary, masker, notes, timed
from harness import Result, report

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy

SIZES = (50_000, 200_000, 1_000_000)


def policy() -> dict[str, Any]:
    """The masker of bench_text as a policy's column; words.csv stands beside it."""
    labels = [f"PATTERN_{i}" for i in range(len(PATTERNS))]
    matchers = {
        "regex": [{"label": label, "pattern": p} for label, p in zip(labels, PATTERNS, strict=True)],
        "seed_files": [
            {"label": "NAME", "seed_file": "words.csv", "context_filters": [{"type": "match_whole_words_only"}]}
        ],
    }
    masks = [{"label": "NAME", "masks": ["first_name"]}, *({"label": label, "masks": ["redact"]} for label in labels)]
    body = {"mask": "text", "matchers": matchers, "masks": masks}
    return {"version": 1, "tables": {"note": {"columns": {"id": "keep", "body": body}}}}


def main() -> None:
    """Three sizes, in seconds of CPU."""
    names = dictionary()
    texts = notes(100_000, names)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = masker(folder, names, "first_name")
        each = timed(lambda: made.mask_many(texts), 3) / len(texts)
        rules = Policy.from_dict(policy(), str(folder / "policy.yaml"))
        results = []
        for size in SIZES:
            source = folder / f"s{size}.db"
            with closing(sqlite3.connect(source)) as db, db:
                db.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")
                db.executemany("INSERT INTO note VALUES (?, ?)", ((i, texts[i % len(texts)]) for i in range(size)))
            urls = (f"sqlite:///{source}", f"sqlite:///{folder / 't.db'}")
            seconds = timed(lambda u=urls: clone(rules, *u, keys=example_keys(), overwrite=True), 1)
            results.append(
                Result("clone with a text column", size, seconds, "the masker alone", each * size, ">= 50,000/s")
            )
        report(results)


if __name__ == "__main__":
    main()
