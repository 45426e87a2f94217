"""Both reports in a real browser: nothing is fetched, nothing overflows, at a desk's width and a phone's."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path

import pytest

from dbmask.analytics import report, risk, utility

ROWS = [
    {"age": str(20 + i % 40), "a_very_long_field_name_without_any_break_in_it": f"value-{i % 7}" * 6, "flu": str(i % 3)}
    for i in range(300)
]

_PROBE = """<!doctype html><html><body><iframe id=f style="border:0;width:{width}px;height:800px" srcdoc="{page}"></iframe>
<pre id=out></pre><script>
document.getElementById('f').onload = e => {{
  const w = e.target.contentWindow, d = w.document.documentElement;
  const wide = [...w.document.querySelectorAll('body *')].filter(x => !x.closest('.scroll')
    && x.getBoundingClientRect().right > d.clientWidth + 1).map(x => x.tagName);
  document.getElementById('out').textContent = JSON.stringify({{width: d.clientWidth, scroll: d.scrollWidth, wide,
    fetched: w.performance.getEntriesByType('resource').map(r => r.name), title: w.document.title,
    cards: w.document.querySelectorAll('.card').length}});
}};</script></body></html>"""


def _pages() -> dict[str, str]:
    names = list(ROWS[0])[:2]
    masked = [{**row, "age": str(int(row["age"]) // 10 * 10)} for row in ROWS]
    return {
        "risk": report.page(risk.run(ROWS, names, "flu"), {"records": 300}),
        "utility": report.page(utility.run(ROWS, masked), {"records": 300}),
    }


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["risk", "utility"])
def test_a_browser_shows_it(kind: str, width: int, tmp_path: Path) -> None:
    probe = tmp_path / "probe.html"
    probe.write_text(_PROBE.format(width=width, page=html.escape(_pages()[kind])), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *flags, "--window-size=1400,900", "--virtual-time-budget=5000", "--dump-dom", probe.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    facts = json.loads(html.unescape(found[1]))
    assert facts["title"].endswith("· dbmask")
    assert facts["cards"] == 4
    # A scrollbar takes some of the width.
    assert width - 20 <= facts["width"] <= width
    assert (facts["scroll"], facts["wide"]) == (facts["width"], [])
    assert [name for name in facts["fetched"] if not name.startswith("data:")] == []
