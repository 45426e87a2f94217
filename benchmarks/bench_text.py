"""Free text: a dictionary of 10,000 words and 10 patterns on notes of 180 characters, against Presidio's own recognizers.

Where presidio-analyzer is not installed, the rival is what one writes by hand: a compiled ``re`` for each pattern, and
a set of words looked up word by word. A rival that is slow is measured on fewer notes and scaled.
"""

from __future__ import annotations

import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import Result, report

from dbmask.ner import mask as ner_mask
from dbmask.ner.gazetteer import entries
from dbmask.text import TextMasker
from dbmask.text.batch import Batch
from dbmask.text.spans import merge

SIZES = (5_000, 20_000, 80_000)
WORDS = 10_000
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
    (folder / "words.csv").write_text("\n".join(["word", *names]), "utf-8")
    whole = [{"type": "match_whole_words_only"}]
    labels = [f"PATTERN_{i}" for i in range(len(PATTERNS))]
    rules = [{"label": label, "pattern": p} for label, p in zip(labels, PATTERNS, strict=True)]
    seeds = [{"label": "NAME", "seed_file": "words.csv", "context_filters": whole}]
    masks = [{"label": "NAME", "masks": [mask]}, *({"label": label, "masks": ["redact"]} for label in labels)]
    return TextMasker({"matchers": {"regex": rules, "seed_files": seeds}, "masks": masks}, KEY, folder=folder)


def found(made: TextMasker, texts: Sequence[str]) -> None:
    """Matching and spans, without masks."""
    engine = made._engine
    for at in range(0, len(texts), 2_000):
        batch = Batch(texts[at : at + 2_000])
        merge(hit for finder in engine.finders for hit in finder.find(batch).hits)


def by_hand(names: Sequence[str]) -> tuple[str, Callable[[str], object]]:
    """A compiled pattern for each, and words in a set."""
    compiled = [re.compile(p) for p in PATTERNS]
    known = {n.lower() for n in names}
    word = re.compile(r"\w+")

    def search(text: str) -> object:
        spans = [m.span() for p in compiled for m in p.finditer(text)]
        return spans + [m.span() for m in word.finditer(text) if m[0].lower() in known]

    return "re and a set, by hand", search


def presidio(names: Sequence[str]) -> tuple[str, Callable[[str], object]]:
    """The same patterns and words as Presidio's recognizers. Raises ImportError where it is not installed."""
    from presidio_analyzer import Pattern, PatternRecognizer

    made = [PatternRecognizer(f"P{i}", patterns=[Pattern(f"P{i}", p, 0.5)]) for i, p in enumerate(PATTERNS)]
    made.append(PatternRecognizer("NAME", deny_list=list(names)))
    return "Presidio", lambda text: [r.analyze(text, r.supported_entities) for r in made]


def main() -> None:
    """Matching alone, then masking, then entities."""
    names = dictionary()
    texts = notes(max(SIZES), names)
    rivals = [by_hand(names)]
    try:
        rivals.append(presidio(names))
    except ImportError:
        print("presidio-analyzer is not installed: not measured", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        made = masker(Path(folder), names, "first_name")
        for rival, search in rivals:
            each = timed(lambda search=search: [search(t) for t in texts[:RIVAL_NOTES]], 3) / RIVAL_NOTES
            report(
                [
                    Result(
                        "text: 10k words, 10 patterns",
                        n,
                        timed(lambda n=n: found(made, texts[:n])),
                        rival,
                        each * n,
                        "<= 10 us",
                    )
                    for n in SIZES
                ]
            )
        rival, search = rivals[0]
        each = timed(lambda: [search(t) for t in texts[:RIVAL_NOTES]], 3) / RIVAL_NOTES
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
    some = texts[:300]
    seconds = timed(lambda: ner_mask(some, "en"), 3)
    report([Result("ner: 180 characters", len(some), seconds, rival, each * len(some), "no rival by rules")])


if __name__ == "__main__":
    main()
