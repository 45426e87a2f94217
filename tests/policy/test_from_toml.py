"""TOML as the standard library reads it, with lines for keys in headers, dotted keys, inline tables and lists."""

from __future__ import annotations

import pytest

from dbmask.errors import PolicyError
from dbmask.policy.document import Document
from dbmask.policy.from_toml import read_toml

TEXT = '''# "version" = 2
version = 1 # tables.x
include = [
  "a", # b

  "b"]
tables."public.x".columns.y = {mask = "redact", keep_end = 4}
tables . z . columns = {}

[tables.'p"q'] # ]
where = """a = [
""" # x
note = \'\'\'it's
[tables.no]\'\'\'
[ tables . w . columns ]
"a\\"b" = { mask = "text", list = [ {label = "A=", pattern = '\\d#'}, { label = "B" } ], empty = "" }
d = 1979-05-27 07:32:00
t = 07:32:00
f = -1.5e3
[[jobs.a]]
x = 1
[[jobs.a]]
[jobs.a.sub]
y = [[1, 2],
 [3]]
[[jobs.a.deep]]
q = 1979-05-27
'''

LINES = {
    ("version",): 2,
    ("include",): 3,
    ("include", 0): 4,
    ("include", 1): 6,
    ("tables",): 7,
    ("tables", "public.x"): 7,
    ("tables", "public.x", "columns"): 7,
    ("tables", "public.x", "columns", "y"): 7,
    ("tables", "public.x", "columns", "y", "mask"): 7,
    ("tables", "public.x", "columns", "y", "keep_end"): 7,
    ("tables", "z"): 8,
    ("tables", "z", "columns"): 8,
    ("tables", 'p"q'): 10,
    ("tables", 'p"q', "where"): 11,
    ("tables", 'p"q', "note"): 13,
    ("tables", "w"): 15,
    ("tables", "w", "columns"): 15,
    ("tables", "w", "columns", 'a"b'): 16,
    ("tables", "w", "columns", 'a"b', "mask"): 16,
    ("tables", "w", "columns", 'a"b', "list"): 16,
    ("tables", "w", "columns", 'a"b', "list", 0): 16,
    ("tables", "w", "columns", 'a"b', "list", 0, "label"): 16,
    ("tables", "w", "columns", 'a"b', "list", 0, "pattern"): 16,
    ("tables", "w", "columns", 'a"b', "list", 1): 16,
    ("tables", "w", "columns", 'a"b', "list", 1, "label"): 16,
    ("tables", "w", "columns", 'a"b', "empty"): 16,
    ("tables", "w", "columns", "d"): 17,
    ("tables", "w", "columns", "t"): 18,
    ("tables", "w", "columns", "f"): 19,
    ("jobs",): 20,
    ("jobs", "a"): 20,
    ("jobs", "a", 0): 20,
    ("jobs", "a", 0, "x"): 21,
    ("jobs", "a", 1): 22,
    ("jobs", "a", 1, "sub"): 23,
    ("jobs", "a", 1, "sub", "y"): 24,
    ("jobs", "a", 1, "sub", "y", 0): 24,
    ("jobs", "a", 1, "sub", "y", 0, 0): 24,
    ("jobs", "a", 1, "sub", "y", 0, 1): 24,
    ("jobs", "a", 1, "sub", "y", 1): 25,
    ("jobs", "a", 1, "sub", "y", 1, 0): 25,
    ("jobs", "a", 1, "deep"): 26,
    ("jobs", "a", 1, "deep", 0): 26,
    ("jobs", "a", 1, "deep", 0, "q"): 27,
}


def read(text: str) -> Document:
    document = Document("p.toml")
    read_toml(text, document)
    return document


def test_every_key_and_item_has_its_line() -> None:
    document = read(TEXT)
    assert document.lines == LINES
    for path in LINES:
        value = document.data
        for step in path:
            value = value[step]


def test_dates_and_times_are_texts() -> None:
    found = read(TEXT).data["tables"]["w"]["columns"]
    assert (found["d"], found["t"], found["f"]) == ("1979-05-27T07:32:00", "07:32:00", -1500.0)


def test_windows_line_ends() -> None:
    document = read('version = 1\r\n[tables]\r\na = "keep"\r\n')
    assert document.lines == {("version",): 1, ("tables",): 2, ("tables", "a"): 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2", "p.toml:2: is not TOML: cannot overwrite a value"),
        ("\na = ", "p.toml:2: is not TOML: "),
        ('a = "', "p.toml:1: is not TOML: "),
        ("a = " + "[" * 150 + "]" * 150, "p.toml:1: is nested more than 100 deep"),
        ("a = " + "[" * 5000 + "]" * 5000, "p.toml:1: is nested too deep"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        read(text)
    assert str(error.value).startswith(message), str(error.value)
