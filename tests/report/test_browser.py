"""Every page that dbmask writes in a real browser: at a desk's width and a phone's, light, dark and printed.

Nothing is fetched, nothing overflows or is cut, and every text can be read: a contrast of at least 4.5 (WCAG 1.4.3), of
charts 3 (1.4.11).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbmask.analytics import report, risk, utility
from dbmask.cloner.certificate import Check
from dbmask.cloner.page import render
from tests.cloner.certificates import document
from tests.report.browser import Browser, browser

PAGES = ["risk", "compare", "utility", "passed", "failed"]
A4 = 688
"""CSS pixels between margins of 14 mm."""

PROBE = Path(__file__).with_name("probe.js").read_text("utf-8")


def _pages() -> dict[str, str]:
    """Each page with what is hard for it: names without a break, many classes, large counts, fields that are not comparable."""
    chance = random.Random(4)  # noqa: S311
    long = "a_very_long_field_name_without_any_break_in_it"
    rows = [
        {
            "age": str(20 + int(chance.expovariate(0.06)) % 70),
            long: f"value-{chance.randrange(7)}" * 6,
            "flu": str(chance.randrange(3)),
            "pay": chance.randrange(1000, 90000),
        }
        for _ in range(2000)
    ]
    masked = [{**r, "age": str(int(str(r["age"])) // 10 * 10), "pay": f"{r['pay']}-x"} for r in rows]
    names = ["age", long]
    before, after = risk.run(rows, names, "flu", k_threshold=30), risk.run(masked, names, "flu", k_threshold=30)
    failed = [
        Check("unchanged", "main.person.mail", False, "12.0% of 450 values stayed equal", {"equal": 54, "seen": 450})
    ]
    return {
        "risk": report.page(before, {"records": 2000, "data": "visits_masked.csv"}),
        "compare": report.page(risk.compare(before, after), {"records": 2000}),
        "utility": report.page(utility.run(rows, masked), {"records": 2000}),
        "passed": render(document()),
        "failed": render(document(checks=failed)),
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and the folder in which the pages are."""
    folder = tmp_path_factory.mktemp("pages")
    for name, page in _pages().items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    with browser(folder / "profile") as running:
        yield running, folder


def look(shown: tuple[Browser, Path], name: str, width: int, media: str = "screen", scheme: str = "light") -> Any:
    """Show a page; what can be measured of its layout."""
    running, folder = shown
    running.show(folder / f"{name}.html", width, media, scheme)
    layout = running.evaluate(PROBE + "layout()")
    fetched = [url for url in running.fetched if not url.startswith("data:")]
    assert fetched == [(folder / f"{name}.html").as_uri()]
    return layout


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_screen_shows_it(shown: tuple[Browser, Path], name: str, width: int, scheme: str) -> None:
    layout = look(shown, name, width, scheme=scheme)
    assert layout["title"].endswith("· dbmask") or "masking certificate" in layout["title"]
    assert layout["cards"] == (0 if name in ("passed", "failed") else 4)
    assert layout["width"] == width and layout["scroll"] <= width
    assert (layout["wide"], layout["small"], layout["crossed"]) == ([], [], [])
    tones = shown[0].evaluate("tones()")
    assert tones["texts"] > 20 and tones["faint"] == []
    assert all(ratio >= 3 for ratio in tones["shapes"])
    assert (tones["body"] < 0.1) is (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_printer_shows_it(shown: tuple[Browser, Path], name: str, scheme: str) -> None:
    """On white whatever the screen was, without a scroll bar that would hide what is to the side."""
    layout = look(shown, name, A4, "print", scheme)
    assert layout["scroll"] <= A4
    assert (layout["wide"], layout["cut"], layout["small"], layout["crossed"]) == ([], [], [], [])
    tones = shown[0].evaluate("tones()")
    assert tones["texts"] > 20 and tones["faint"] == []
    assert all(ratio >= 3 for ratio in tones["shapes"])
    assert tones["body"] == 1
    apart = "[...document.querySelectorAll('h2, h3')].filter(e => !getComputedStyle(e).breakAfter.startsWith('avoid')).length"
    torn = "[...document.querySelectorAll('tr, figure, .verdict')].filter(e => getComputedStyle(e).breakInside !== 'avoid').length"
    assert [shown[0].evaluate(script) for script in (apart, torn)] == [0, 0]


@pytest.mark.parametrize("name", PAGES)
def test_a_file_for_the_printer(shown: tuple[Browser, Path], name: str) -> None:
    """A4 pages, no more of them than there is to say."""
    look(shown, name, 1280, scheme="dark")
    shown[0].call("Emulation.setEmulatedMedia", media="", features=[])
    pdf = shown[0].pdf()
    boxes = {(float(w), float(h)) for w, h in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)}
    assert [(595 <= w < 597, 841 <= h < 843) for w, h in boxes] == [(True, True)]
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 8
