"""Plain text in and out: encodings, byte order marks, lines."""

from __future__ import annotations

import io

import pytest

from dbmask.errors import UsageError
from dbmask.ner.streams import mask_stream


def masked(data: bytes, encoding: str, lines: bool) -> bytes:
    out = io.BytesIO()
    mask_stream(io.BytesIO(data), out, lambda texts: [text.replace("é", "ž") for text in texts], encoding, lines)
    return out.getvalue()


TEXT = "café\r\n\u2028two\x0bé\n\nend é"


@pytest.mark.parametrize("lines", [False, True], ids=["whole", "lines"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7", "gb18030"])
def test_encodings_come_out_as_they_went_in(encoding: str, lines: bool) -> None:
    made = masked(TEXT.encode(encoding), encoding, lines)
    assert made.decode(encoding) == TEXT.replace("é", "ž")
    if encoding.startswith("utf-") and encoding != "utf-7":
        assert made == TEXT.replace("é", "ž").encode(encoding)


def test_lines_of_an_encoding_with_shifts() -> None:
    text = "日本\n語\nplain\n"
    assert masked(text.encode("iso2022_jp"), "iso2022_jp", True).decode("iso2022_jp") == text


def test_an_old_mainframe_has_another_line_feed() -> None:
    assert masked("a\nb".encode("cp037"), "cp037", True) == "a\nb".encode("cp037")


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "rot13", "base64", "undefined"])
def test_what_is_no_encoding_of_texts(encoding: str) -> None:
    with pytest.raises(UsageError, match="there is no encoding"):
        masked(b"abc", encoding, False)


@pytest.mark.parametrize("lines", [False, True], ids=["whole", "lines"])
def test_a_text_that_ends_within_a_character(lines: bool) -> None:
    with pytest.raises(UsageError, match="line 2, byte 6: not utf-8 text"):
        masked("one\nabé".encode()[:-1], "utf-8", lines)
