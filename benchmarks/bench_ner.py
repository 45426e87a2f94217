"""Recall and precision of the rule detectors on the annotated sentences of tests/data/ner, by language and label."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dbmask.ner.language import LANGUAGES
from tests.ner.annotated import score, sentences

TARGETS = {"PERSON": 0.9, "DATE": 0.95, "TIME": 0.95}


def main() -> int:
    """Print a line for each; return 1 where a target of recall is missed."""
    missed = 0
    for code in LANGUAGES:
        made = score(code)
        for label in sorted(made.gold):
            recall, precision = made.recall(label), made.precision(label)
            target = TARGETS.get(label)
            missed += target is not None and recall < target
            facts = {"language": code, "label": label, "entities": made.gold[label]}
            print(json.dumps({**facts, "recall": round(recall, 3), "precision": round(precision, 3), "target": target}))
            wanted = f"(target {target})" if target else ""
            print(
                f"ner {code} {label:13} {made.gold[label]:4} in {len(sentences(code))} sentences"
                f"   recall {recall:6.1%}   precision {precision:6.1%} {wanted}",
                file=sys.stderr,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
