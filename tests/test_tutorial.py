"""docs/tutorial.md from top to bottom: its files are written, its commands run, and what they print is what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = [m.groups() for m in re.finditer(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", PAGE, re.S | re.M)]
"""Language, name of a file to be written, contents."""


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """As after an installation: a command `dbmask`, a package that can be imported, no key and no salt."""
    programs = tmp_path_factory.mktemp("bin")
    command = programs / "dbmask"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dbmask "$@"\n')
    command.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DBMASK_")}
    roots = os.pathsep.join(str(ROOT / part) for part in ("", "sql", "connectors"))
    return {**kept, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": roots}


def printed(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints, on both streams."""
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def session(block: str) -> list[tuple[str, str]]:
    """Commands and their outputs."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.M)
    assert parts[0] == ""
    return list(zip(parts[1::2], parts[2::2], strict=True))


def test_the_tutorial_does_what_it_says(tmp_path: Path, environment: dict[str, str]) -> None:
    """Every block in its order."""
    said: str | None = None
    commands = 0
    for language, name, body in BLOCKS:
        if name:
            (tmp_path / name).write_text(body, "utf-8")
        elif language == "console":
            for command, output in session(body):
                assert printed(["bash", "-c", command], tmp_path, environment) == output, command
                commands += 1
        elif language == "python":
            assert said is None
            said = printed([sys.executable, "-c", body], tmp_path, environment)
        else:
            assert language == "text" and said is not None, f"a block of kind {language} that nothing explains"
            assert body == said
            said = None
    assert said is None and commands >= 20
    for report in ("risk.html", "utility.html"):
        page = (tmp_path / report).read_text("utf-8")
        assert "<svg" in page and not re.search(r"""(src|href)=["']?https?://""", page)


def test_it_has_the_five_parts() -> None:
    """Numbered, in order."""
    assert re.findall(r"^## (\d)\.", PAGE, re.M) == ["1", "2", "3", "4", "5"]
