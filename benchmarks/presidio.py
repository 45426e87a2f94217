"""Presidio with its pattern recognizers, measured in an environment of its own: it is no dependency of the project.

Run by that environment's interpreter, this file is the measured program; imported, it makes the environment and asks it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).parent.parent / "build" / "presidio"
INSTALL_SECONDS = 600
RUN_SECONDS = 300


def seconds_per_text(patterns: Sequence[str], names: Sequence[str], texts: Sequence[str]) -> float | str:
    """CPU seconds that one text takes Presidio, or in words why that is not known."""
    python = HOME / "bin" / "python"
    try:
        if not (HOME / "installed").exists():
            venv.create(HOME, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "-q", "presidio-analyzer"]
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
            (HOME / "installed").touch()
        asked = json.dumps({"patterns": list(patterns), "names": list(names), "texts": list(texts)})
        done = subprocess.run(
            [str(python), __file__], input=asked, check=True, capture_output=True, text=True, timeout=RUN_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"presidio-analyzer could not be installed or run here ({type(error).__name__})"
    return float(done.stdout.split()[-1])


def measured() -> float:
    """What runs in Presidio's own environment: one recognizer for each pattern, and a deny list of the names."""
    from presidio_analyzer import Pattern, PatternRecognizer

    asked = json.load(sys.stdin)
    made = [PatternRecognizer(f"P{i}", patterns=[Pattern(f"P{i}", p, 0.5)]) for i, p in enumerate(asked["patterns"])]
    made.append(PatternRecognizer("NAME", deny_list=asked["names"]))

    def search(text: str) -> None:
        for recognizer in made:
            recognizer.analyze(text, recognizer.supported_entities)

    search(asked["texts"][0])
    began = time.process_time()
    for text in asked["texts"]:
        search(text)
    return (time.process_time() - began) / len(asked["texts"])


if __name__ == "__main__":
    print(measured())
