"""Dictionaries from files and mappings, and written ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.anonymizer.lookup import check_lookup_name, load_dictionary, upper_dictionary, write_dictionary
from dbmask.errors import PolicyError, UsageError
from dbmask.masks.build import example_keys

KEY = example_keys().column("anonymizer")


@pytest.mark.parametrize(
    "text",
    [
        "jan,Petr\nO’Brien,o'hara\n",
        "name,replacement\r\nJan,petr\r\n\r\nO'Brien,O'Hara\r\n",
        "\ufeffNAME;REPLACEMENT\njan;petr\n\"o'brien\";o'hara",
        "jan\tpetr\nO'BRIEN\tO'HARA",
        "jan , petr\no'brien, o'hara\nJAN,PETR\n",
    ],
)
def test_files_are_upper_cased_on_loading(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.csv").write_text(text, "utf-8", newline="")
    expected = {"JAN": "PETR", "O'BRIEN": "O'HARA"}
    assert load_dictionary("names.csv", KEY, tmp_path) == expected
    assert load_dictionary(str(tmp_path / "names.csv"), KEY) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("name,replacement\n", "is empty"),
        ("jan\n", ":1: a line of a name lookup is a name and its replacement"),
        ("jan,petr\n\neva,,\nx,\n", ":3: a line"),
        ("jan,petr\nJan,pavel\n", ":2: gives a name a second replacement"),
        ('jan,petr\n"eva"x,anna\n', ":2: is not CSV"),
    ],
)
def test_wrong_files_are_named_by_line(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "names.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(PolicyError) as caught:
        load_dictionary(str(path), KEY)
    assert what in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="the name lookup cannot be read"):
        load_dictionary("none.csv", KEY, tmp_path)
    (tmp_path / "latin.csv").write_bytes("Jiří,Petr".encode("iso-8859-2"))
    with pytest.raises(PolicyError, match="is not UTF-8 at byte"):
        load_dictionary("latin.csv", KEY, tmp_path)


def test_what_can_be_seen_beforehand() -> None:
    assert check_lookup_name("names.csv") == check_lookup_name("builtin:cs") == []
    [problem] = check_lookup_name("builtin:de")
    assert "builtin:cs, builtin:en, builtin:fr" in problem.what
    [problem] = check_lookup_name("Name-Lookup.CIF")
    assert "a .cif table cannot be read" in problem.what
    assert "--name-lookup" in problem.hint
    with pytest.raises(PolicyError, match="cif"):
        load_dictionary("name-lookup.cif", KEY)


def test_mappings() -> None:
    assert upper_dictionary({"jan": "petr", "JAN": "Petr"}) == {"JAN": "PETR"}
    with pytest.raises(PolicyError, match="second replacement"):
        upper_dictionary({"jan": "petr", "JAN": "pavel"})
    with pytest.raises(PolicyError, match="must be texts"):
        upper_dictionary({"jan": ""})


def test_a_written_dictionary_reads_back(tmp_path: Path) -> None:
    made = {"O'BRIEN": "O'HARA", "ŽIŽKA": "ČECH", "A": "B"}
    write_dictionary(made, tmp_path / "lookup.csv")
    assert (tmp_path / "lookup.csv").read_text("utf-8").splitlines()[:2] == ["name,replacement", "A,B"]
    assert load_dictionary("lookup.csv", KEY, tmp_path) == made
    assert [p.name for p in tmp_path.iterdir()] == ["lookup.csv"]
    with pytest.raises(UsageError, match="cannot be written"):
        write_dictionary(made, tmp_path / "none" / "lookup.csv")
