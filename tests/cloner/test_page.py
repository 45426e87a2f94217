"""The certificate's page: verdict first, nothing fetched, everything escaped, and true to its data."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dbmask.cloner.audit import audit
from dbmask.cloner.certificate import Check, write_certificate
from dbmask.cloner.page import embedded, render
from dbmask.cloner.signing import SigningKey, new_pair, parse_document, signed
from dbmask.errors import CheckFailed, UsageError
from dbmask_sql.jcs import canonical_json
from tests.cloner.certificates import certificate, document


class Seen(HTMLParser):
    """The text of a page, what it refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.refers: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refers += [str(v) for k, v in attrs if k in ("src", "href", "srcset", "action", "data")]
        if tag not in ("meta", "circle", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("circle", "path"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script") and data.strip():
            self.words.append(" ".join(data.split()))


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def keys(tmp_path: Path) -> tuple[SigningKey, Path]:
    new_pair(tmp_path / "a.key", tmp_path / "a.pub")
    return SigningKey.load(tmp_path / "a.key"), tmp_path / "a.pub"


def test_the_verdict_comes_first_and_nothing_is_fetched() -> None:
    page = render(document())
    found = seen(page)
    assert found.words[2] == "Every check passed"
    assert found.refers == [] and "@import" not in page and not re.search(r"url\(|https?:", page)
    text = " ".join(found.words)
    for word in (
        "main.person",
        "hash, keyed",
        "0/16B3748",
        "0123456789abcdef",
        "main.log: has no primary key",
        "owners",
    ):
        assert word in text


def test_failed_checks_are_named_at_the_top() -> None:
    failed = Check("rows", "main.person", False, "499 rows", {"source": 500, "replica": 499})
    page = render(document(checks=[failed]))
    words = seen(page).words
    assert "1 of 1 checks failed" in words and words.index("What failed") < words.index("The run")
    assert page.count("499 rows") == 3  # at the top, among the checks, and in the data


def test_names_are_shown_as_they_are_and_never_as_markup() -> None:
    evil = "</script><script>alert(1)</script>"
    page = render(document(source=evil, not_looked_at=[evil], policy=evil))
    found = seen(page)
    assert "<script>alert" not in page and evil in found.words
    data = embedded(page)
    assert data is not None and parse_document(data)["source"] == evil


def test_the_page_gives_back_its_data() -> None:
    data = embedded(render(document()))
    assert data is not None
    assert canonical_json(parse_document(data)) == canonical_json(document())
    assert embedded("<p>") is None


def test_both_files_are_written_and_pass(tmp_path: Path, keys: tuple[SigningKey, Path]) -> None:
    made = write_certificate(certificate(), tmp_path / "c.json", keys[0])
    assert [p.name for p in made] == ["c.json", "c.html"]
    for path in made:
        found = audit(path, keys[1])
        assert found.checks == 2 and found.failed == () and found.notes == ()
        assert found.not_looked_at == ("main.log: has no primary key",)
    assert made[0].read_text("utf-8") == canonical_json(signed(document(), keys[0])) + "\n"
    assert [p.name for p in write_certificate(certificate(), tmp_path / "d.html", keys[0])] == ["d.html"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.key", "a.pub", "c.html", "c.json", "d.html"]


def test_a_page_that_shows_other_things_than_were_signed_is_refused(
    tmp_path: Path, keys: tuple[SigningKey, Path]
) -> None:
    (page,) = write_certificate(certificate(), tmp_path / "c.html", keys[0])
    text = page.read_text("utf-8")
    page.write_text(text.replace("500 rows", "501 rows", 1), "utf-8")
    with pytest.raises(CheckFailed, match="it does not show what was signed"):
        audit(page, keys[1])
    page.write_text(text.replace('"rows":500', '"rows":501'), "utf-8")
    with pytest.raises(CheckFailed, match="it was changed after it was signed"):
        audit(page, keys[1])
    page.write_text("<p>nothing</p>", "utf-8")
    with pytest.raises(CheckFailed, match="the data is not in it"):
        audit(page, keys[1])
    page.write_bytes(b"\xff")
    with pytest.raises(CheckFailed, match="not UTF-8"):
        audit(page, keys[1])
    with pytest.raises(UsageError, match="cannot be read"):
        audit(tmp_path / "nowhere", keys[1])


def test_another_versions_page_is_said_not_to_be_compared(tmp_path: Path, keys: tuple[SigningKey, Path]) -> None:
    (page,) = write_certificate(certificate(version="0.0.1"), tmp_path / "c.html", keys[0])
    assert "made by dbmask 0.0.1" in audit(page, keys[1]).notes[0]
