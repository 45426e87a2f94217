"""Draw docs/images/anonymizer-windows.svg: how far a birth date may move, and how far days do move under one key.

python scripts/make_window_picture.py
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from dbmask.anonymizer.datemap import DateMap, windows
from dbmask.anonymizer.parameters import read_parameters
from dbmask.masks.build import example_keys

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "anonymizer-windows.svg"
WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 60
STEP = 40
"""Days between two points of an outline."""
DOT_STEP = 101
"""Days between two days that are shown."""


def picture() -> str:
    """The SVG's text."""
    given = read_parameters({"birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"})
    low, high = windows(given)
    image = DateMap(given, example_keys().column("anonymizer").sub("dates")).image
    size, first = len(low), given.birthDayMin
    tallest = 2_450

    def x(day: int) -> str:
        return f"{LEFT + day * (WIDTH - LEFT - RIGHT) / (size - 1):.1f}"

    def y(shift: float) -> str:
        middle, half = (TOP + HEIGHT - BOTTOM) / 2, (HEIGHT - TOP - BOTTOM) / 2
        return f"{middle - shift * half / tallest:.1f}"

    def at(day: dt.date) -> int:
        return (day - first).days

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        "<title>How far a birth date may move: windows widen with age and never leave an era</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for years in range(-6, 7):
        shift = years * 365.25
        colour = "#999" if years == 0 else "#e4e4e4"
        parts.append(f'<path d="M{LEFT} {y(shift)}H{WIDTH - RIGHT}" stroke="{colour}" fill="none"/>')
        label = "same day" if years == 0 else f"{years:+d} y"
        parts.append(f'<text x="{LEFT - 8}" y="{float(y(shift)) + 4:.1f}" text-anchor="end" fill="#555">{label}</text>')
    for year in range(1910, 2009, 10):
        place = x(at(dt.date(year, 1, 1)))
        parts.append(f'<text x="{place}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#555">{year}</text>')
    for segment in given.segments:
        start, end = at(segment.first), at(segment.last)
        days = [*range(start, end, STEP), end]
        upper = " ".join(f"{x(d)},{y(int(high[d]) - d)}" for d in days)
        lower = " ".join(f"{x(d)},{y(int(low[d]) - d)}" for d in reversed(days))
        parts.append(f'<polygon points="{upper} {lower}" fill="#cfe3f7" stroke="#5b93c7"/>')
        if start:
            parts.append(
                f'<path d="M{x(start)} {TOP - 8}V{HEIGHT - BOTTOM}" stroke="#b33" stroke-dasharray="4 3" fill="none"/>'
            )
            parts.append(f'<text x="{x(start)}" y="{TOP - 12}" text-anchor="middle" fill="#b33">{segment.first}</text>')
    dots = "".join(f"M{x(d)} {y(int(image[d]) - d)}h0" for d in range(0, size, DOT_STEP))
    parts.append(f'<path d="{dots}" stroke="#1c4e80" stroke-width="3" stroke-linecap="round" fill="none"/>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 16}" text-anchor="middle">birth date: the area is its '
        "window, a dot where one key moves it</text>"
    )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(), "utf-8")
