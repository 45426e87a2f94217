"""Pages of docs/ from top to bottom: their files are written, their commands run, and what they print is what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("tutorial", "analytics", "ner", "text")}
REPORTS = {
    "tutorial": ["risk.html", "utility.html", "k.html"],
    "analytics": ["risk.html", "python.html"],
    "ner": [],
    "text": [],
}
"""The reports that a page makes."""


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


def blocks(page: str) -> list[tuple[str, str | None, str]]:
    """Language, name of a file to be written, contents."""
    found = re.finditer(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", page, re.S | re.M)
    return [(m[1], m[2], m[3]) for m in found]


def session(block: str) -> list[tuple[str, str]]:
    """Commands and their outputs."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.M)
    assert parts[0] == ""
    return list(zip(parts[1::2], parts[2::2], strict=True))


def differences(page: str, folder: Path, environment: dict[str, str]) -> tuple[list[str], int]:
    """Follow a page in ``folder``: what printed something else than the page shows, and how many commands there were."""
    said: str | None = None
    commands = 0
    wrong = []
    for language, name, body in blocks(page):
        if name:
            (folder / name).write_text(body, "utf-8")
        elif language == "console":
            for command, output in session(body):
                commands += 1
                if (real := printed(["bash", "-c", command], folder, environment)) != output:
                    wrong.append(f"$ {command}\n{real}")
        elif language == "python":
            assert said is None, "a program whose output is not shown"
            said = printed([sys.executable, "-c", body], folder, environment)
        else:
            assert language == "text" and said is not None, f"a block of kind {language} that nothing explains"
            if said != body:
                wrong.append(said)
            said = None
    assert said is None, "a program whose output is not shown"
    return wrong, commands


@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_what_it_says(name: str, tmp_path: Path, environment: dict[str, str]) -> None:
    """Every block in its order; the reports it makes fetch nothing."""
    wrong, commands = differences(PAGES[name], tmp_path, environment)
    assert not wrong, "\n".join(wrong)
    assert commands >= (20 if name == "tutorial" else 2)
    assert sorted(p.name for p in tmp_path.glob("*.html")) == sorted(REPORTS[name])
    for report in REPORTS[name]:
        page = (tmp_path / report).read_text("utf-8")
        assert "<svg" in page and not re.search(r"""(src|href)=["']?https?://""", page)


def test_a_page_that_differs_is_noticed(tmp_path: Path, environment: dict[str, str]) -> None:
    """An output that the product does not print, of a command and of a program."""
    page = "```text in.txt\nAlice\n```\n```console\n$ cat in.txt\nBob\n```\n```python\nprint(1)\n```\n```text\n2\n```\n"
    assert differences(page, tmp_path, environment) == (["$ cat in.txt\nAlice\n", "1\n"], 1)
    right = page.replace("Bob", "Alice").replace("\n2\n", "\n1\n")
    assert differences(right, tmp_path, environment) == ([], 1)


def test_the_tutorial_has_five_parts() -> None:
    """Numbered, in order."""
    assert re.findall(r"^## (\d)\.", PAGES["tutorial"], re.M) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("name", PAGES)
def test_its_links_lead_somewhere(name: str) -> None:
    """Links to other files of the project."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[name])
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
