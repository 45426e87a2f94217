"""Loading policies: short forms, classes, includes, environment, and every error with its line and the nearest legal name."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from dbmask.errors import KeySourceError, PolicyError
from dbmask.keys import MasterKey
from dbmask.masks.hash import Hash
from dbmask.masks.keep import Keep
from dbmask.masks.redact import Redact
from dbmask.policy import Default, Policy, TableMode
from dbmask.schema import TableName


def load(text: str) -> Policy:
    return Policy.from_text(text, "yaml", "p.yaml")


def problems(text: str, form: str = "yaml") -> list[str]:
    with pytest.raises(PolicyError) as error:
        Policy.from_text(text, form, f"p.{form}")
    return [str(p) for p in error.value.problems]


def test_a_whole_policy() -> None:
    policy = load("""
version: 1
key: env:K
epoch: 2026
classes:
  mail: {mask: hash, length: 12}
tables:
  public.customer:
    columns:
      id: keep
      email: mail
      other: {mask: mail}
      phone: {mask: redact, keep_end: 4}
      by_strategy: {strategy: redact}
    where: "id > 5"
  country: keep
  public.audit: empty
  public.scratch: skip
relations:
  - public.ticket.no -> public.customer.no
  - {from: "t(a, b)", to: "public.u(c, d)"}
jobs: {nightly: {source: "env:A", target: "env:B"}}
""")
    customer, country, audit, scratch = policy.tables
    masks = {c.name: c.mask for c in customer.columns}
    assert masks == {
        "id": Keep(),
        "email": Hash(length=12),
        "other": Hash(length=12),
        "phone": Redact(keep_end=4),
        "by_strategy": Redact(),
    }
    assert customer.columns[3].where == "p.yaml:13"
    assert (customer.filter, customer.where, customer.mode) == ("id > 5", "p.yaml:8", TableMode.MASK)
    assert [t.mode.value for t in (country, audit, scratch)] == ["keep", "empty", "skip"]
    assert (policy.key, policy.epoch, policy.default) == ("env:K", "2026", Default.DENY)
    assert policy.sections == {"jobs": {"nightly": {"source": "env:A", "target": "env:B"}}}
    first, second = policy.relations
    assert (first.table, first.columns, first.ref_columns) == (TableName("public", "ticket"), ("no",), ("no",))
    assert (second.table, second.columns, second.ref_table) == (
        TableName("", "t"),
        ("a", "b"),
        TableName("public", "u"),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tabels: {}", "p.yaml:2: unknown key 'tabels' (did you mean tables?)"),
        ("key: hex:00", "p.yaml:2: the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself"),
        ("default: alow", "p.yaml:2: default is `deny` or `keep`"),
        ("tables: {a: {colums: {}}}", "p.yaml:2: unknown key 'colums' in table a (did you mean columns?)"),
        ("tables: {a: {columns: {x: readct}}}", "p.yaml:2: there is no mask 'readct' (did you mean redact?)"),
        (
            "tables: {a: {columns: {x: {mask: redact, keep_ned: 4}}}}",
            "redact has no parameter 'keep_ned' (did you mean keep_end?)",
        ),
        (
            "tables: {a: {columns: {x: {mask: redact, keep_end: four}}}}",
            "redact: keep_end: input should be a valid integer",
        ),
        ("tables: {a: {columns: {x: {length: 4}}}}", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("tables: {a: {columns: {x: }}}", "nothing is said here (write a mask or a value; `null` is a mask too)"),
        ("tables: {a: {columns: [b]}}", "`columns:` must be a mapping of column to mask"),
        ("tables: {a: {where: 5}}", "`where:` must be a SQL condition as text"),
        ("tables: {a: {mode: masked}}", "`mode:` is one of mask, keep, empty, skip"),
        ("tables: {a: {anonymizer: 5}}", "`anonymizer:` must be a mapping"),
        ("tables: {a: kept}", "a table is keep, empty, skip, or a mapping with `columns:` (did you mean keep?)"),
        ("tables: {a: 5}", "table a has no rule"),
        ("tables: []", "`tables:` must be a mapping"),
        ("tables: {'a.b.c': keep}", "p.yaml:2: table name 'a.b.c': expected schema.table, got 3 parts"),
        ("tables: {a: keep, a: skip}", "'a' is given twice"),
        ("tables: {a: '${NOT_SET_ANYWHERE}'}", "the environment variable NOT_SET_ANYWHERE is not set"),
        ("classes: {hash: redact}", "class 'hash' has the name of a mask"),
        ("classes: {c: c}\ntables: {a: {columns: {x: c}}}", "class 'c' is defined by itself"),
        ("classes: {c: hash}\ntables: {a: {columns: {x: {mask: c, length: 3}}}}", "class 'c' takes no parameters"),
        (
            "classes: {card: hash}\ntables: {a: {columns: {x: crd}}}",
            "there is no mask or class 'crd' (did you mean card?)",
        ),
        ("relations: 5", "`relations:` must be a list"),
        ("relations: [a.b]", "a relation is written"),
        ("relations: [5]", "a relation is written"),
        ("relations: [{from: a.b, to: 'c(d'}]", "a relation is written"),
        ("relations: [{from: 5, to: a.b}]", "a relation is written"),
        ("relations: [a -> b]", "a relation is written"),
        ("relations: ['t(a, b) -> u(c)']", "both ends of a relation need the same number of columns"),
        ("include: [5]", "`include:` must be a file name"),
        ("include: {}", "`include:` must be a file name"),
        ("include: not_there.yaml", "not_there.yaml: cannot be read"),
        ("include: p.yaml", "p.yaml includes itself"),
        ("tables: {a: {columns: {? [1]: keep}}}", "is not YAML: a key must be a text"),
        ("tables: {a: [}", "p.yaml:2: is not YAML"),
        ("tables: \x01", "is not YAML: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"version: 1\n{line}\n"
    (tmp_path / "p.yaml").write_text(text, "utf-8")
    found = problems(text)
    assert any(message in p for p in found), found
    assert all(p.startswith("p.yaml:") for p in found)


def test_problems_of_a_file_are_reported_together() -> None:
    text = "version: 2\nnonsense: 1\ntables:\n  a: kept\n  b: {columns: {x: readct, y: {mask: redact, char: ab}}}\n"
    found = problems(text)
    assert len(found) == 5
    assert [p.split(" ")[0] for p in found] == ["p.yaml:1:", "p.yaml:2:", "p.yaml:4:", "p.yaml:5:", "p.yaml:5:"]


@pytest.mark.parametrize("text", ["", "5", "[]", "just text"])
def test_what_is_no_mapping(text: str) -> None:
    assert any("is no policy" in p for p in problems(text))


@pytest.mark.parametrize("version", ["2", "true", "'1'"])
def test_the_version_is_required(version: str) -> None:
    assert any("needs `version: 1`" in p for p in problems(f"version: {version}\ntables: {{a: keep}}"))


def test_a_policy_without_tables_says_so() -> None:
    assert any("names no tables" in p for p in problems("version: 1"))
    assert any("names no tables" in p for p in problems("version: 1\ntables: {}"))


def test_yaml_words_are_names_here() -> None:
    policy = load(
        "version: 1\ntables:\n  t:\n    columns: {no: keep, on: redact, 123: keep, 2024-01-01: keep, '\"a.b\"': keep}\n"
    )
    assert [c.name for c in policy.tables[0].columns] == ["no", "on", "123", "2024-01-01", '"a.b"']


def test_anchors_and_merges() -> None:
    policy = load("""version: 1
tables:
  a: {columns: &base {x: keep, y: redact}}
  b: {columns: {<<: *base, y: hash}}
  c: {columns: {<<: [*base, {z: keep}]}}
""")
    assert [[(c.name, c.mask.name) for c in t.columns] for t in policy.tables] == [
        [("x", "keep"), ("y", "redact")],
        [("x", "keep"), ("y", "hash")],
        [("x", "keep"), ("y", "redact"), ("z", "keep")],
    ]


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    data = {"version": 1, "tables": {"a": {"columns": {"x": {"mask": "redact", "keep_end": 4}}}, "b": "keep"}}
    by_json = Policy.from_text(json.dumps(data), "json", "p.json")
    toml = 'version = 1\n[tables]\nb = "keep"\n[tables.a.columns]\nx = {mask = "redact", keep_end = 4}\n'
    by_toml = Policy.from_text(toml, "toml", "p.toml")
    by_dict = Policy.from_dict(data)
    assert {t.name: [c.mask for c in t.columns] for t in by_json.tables} == {"a": [Redact(keep_end=4)], "b": []}
    assert {t.name: [c.mask for c in t.columns] for t in by_toml.tables} == {"a": [Redact(keep_end=4)], "b": []}
    assert by_json.digest == by_toml.digest == by_dict.digest
    assert by_json.digest != Policy.from_dict({**data, "epoch": "2"}).digest
    for name, text in (("p.json", json.dumps(data)), ("p.toml", toml)):
        (tmp_path / name).write_text(text, "utf-8")
        assert Policy.load(tmp_path / name).digest == by_json.digest


def test_errors_in_json_and_toml_have_lines() -> None:
    assert problems('{"version": 1,\n"tables": {"a": {"columns": {\n"x": "readct"}}}}', "json") == [
        "p.json:3: there is no mask 'readct' (did you mean redact?)"
    ]
    assert problems('version = 1\n[tables.a.columns]\n\nx = "readct"\n', "toml") == [
        "p.toml:4: there is no mask 'readct' (did you mean redact?)"
    ]
    assert problems('{"version": 1,\nx}', "json")[0].startswith("p.json:2: is not JSON")
    assert problems("version = 1\nversion = 2\n", "toml")[0].startswith("p.toml:2: is not TOML")
    assert "is not TOML" in problems('a = "', "toml")[0]


def test_includes_bring_tables_classes_and_relations(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "p.yaml").write_text(
        "version: 1\ninclude: [sub/hr.yaml]\ntables: {a: {columns: {x: short}}}\n", "utf-8"
    )
    (tmp_path / "sub" / "hr.yaml").write_text(
        "include: more.yaml\nclasses: {short: {mask: hash, length: 8}}\ntables: {b: keep}\n", "utf-8"
    )
    (tmp_path / "sub" / "more.yaml").write_text("relations: [a.x -> b.y]\ntables: {c: skip}\n", "utf-8")
    policy = Policy.load(tmp_path / "p.yaml")
    assert [t.name for t in policy.tables] == ["a", "b", "c"]
    assert policy.tables[0].columns[0].mask == Hash(length=8)
    assert len(policy.relations) == 1
    before = policy.digest
    (tmp_path / "sub" / "more.yaml").write_text("tables: {c: empty}\n", "utf-8")
    assert Policy.load(tmp_path / "p.yaml").digest != before


def test_errors_in_included_files_name_them(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\ninclude: [a.yaml, b.yaml]\nclasses: {k: hash}\ntables: {t: keep}\n", "utf-8"
    )
    (tmp_path / "a.yaml").write_text("include: p.yaml\nkey: env:K\nclasses: {k: redact}\n", "utf-8")
    (tmp_path / "b.yaml").write_text("tables:\n  x: {columns: {y: readct}}\n", "utf-8")
    with pytest.raises(PolicyError) as error:
        Policy.load(tmp_path / "p.yaml")
    text = str(error.value)
    assert "a.yaml:1: p.yaml includes itself" in text
    assert "a.yaml:2: `key:` belongs into the main policy" in text
    assert "a.yaml:3: class 'k' is defined twice" in text
    assert "b.yaml:2: there is no mask or class 'readct'" in text


def test_the_environment_is_expanded_in_values_but_not_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAY", "2024-01-01")
    policy = load(
        "version: 1\nkey: env:${DAY}\ntables: {t: {columns: {a: keep}, where: \"d > '${DAY}' and x in ($1)\"}}\nrelations: []"
    )
    assert policy.tables[0].filter == "d > '2024-01-01' and x in ($1)"
    assert policy.key == "env:${DAY}"


def test_where_the_key_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text("hex:" + "01" * 32, "utf-8")
    policy = load("version: 1\nkey: env:OWN\nepoch: e\ntables: {a: keep}")
    environ = {"OWN": "hex:" + "02" * 32, "DBMASK_KEY": "hex:" + "03" * 32}
    by_file = policy.keyring(str(file), environ)
    by_variable = policy.keyring(environ=environ)
    by_policy = policy.keyring(environ={"OWN": environ["OWN"]})
    assert len({k.fingerprint() for k in (by_file, by_variable, by_policy)}) == 3
    assert by_file.epoch == "e"
    with pytest.raises(KeySourceError, match="OWN is not set"):
        policy.keyring(environ={})
    assert load("version: 1\ntables: {a: keep}").keyring(environ={}).fingerprint() == ""
    with pytest.raises(KeySourceError, match="cannot be read"):
        policy.keyring(str(tmp_path / "nothing"), environ)


def test_a_key_file_is_looked_for_beside_the_policy_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "p.yaml").write_text("version: 1\nkey: file:k\ntables: {a: keep}", "utf-8")
    (folder / "k").write_text("hex:" + "01" * 32, "utf-8")
    expected = MasterKey(b"\1" * 32).fingerprint()
    policy = Policy.load(folder / "p.yaml")
    assert policy.keyring(environ={}).fingerprint() == expected
    absolute = Policy.from_text(f"version: 1\nkey: 'file:{folder / 'k'}'\ntables: {{a: keep}}", "yaml", "p.yaml")
    assert absolute.keyring(environ={}).fingerprint() == expected
    monkeypatch.setenv("HOME", str(folder))
    home = Policy.from_text("version: 1\nkey: file:~/k\ntables: {a: keep}", "yaml", "p.yaml")
    assert home.keyring(environ={}).fingerprint() == expected
    monkeypatch.chdir(folder)
    assert load("version: 1\nkey: file:k\ntables: {a: keep}").keyring(environ={}).fingerprint() == expected


@pytest.mark.parametrize(
    "key", ["", "'env:'", "'file: '", "5", "[env:X]", "a-literal-key-of-some-length", "hex:00", "vault:x"]
)
def test_what_is_no_place_of_a_key_is_refused_and_not_repeated(key: str) -> None:
    [found] = problems(f"version: 1\nkey: {key}\ntables: {{a: keep}}")
    assert found == "p.yaml:2: the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself"


@pytest.mark.parametrize("epoch", ["", "true", "1.10", "[1]", "{}"])
def test_what_is_no_epoch(epoch: str) -> None:
    [found] = problems(f"version: 1\nepoch: {epoch}\ntables: {{a: keep}}")
    assert found == "p.yaml:2: `epoch:` is a text or a whole number (put it in quotes)"


def test_epochs() -> None:
    assert [load(f"version: 1\nepoch: {e}\ntables: {{a: keep}}").epoch for e in ("2026", "'1.10'", "a", "2026-01")] == [
        "2026",
        "1.10",
        "a",
        "2026-01",
    ]


def test_two_files_may_include_a_third_and_it_counts_once(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ninclude: [a.yaml, b.json]\nclasses:\nrelations:\n", "utf-8")
    (tmp_path / "a.yaml").write_text("version: 1\ninclude: [c.toml]", "utf-8")
    (tmp_path / "b.json").write_text('{"include": "./c.toml"}', "utf-8")
    (tmp_path / "c.toml").write_text('[tables]\nx = "k"\n[classes]\nk = "hash"\n[tables.t.columns]\na = "k"\n', "utf-8")
    with pytest.raises(PolicyError) as error:
        Policy.load(tmp_path / "p.yaml")
    assert [str(p) for p in error.value.problems] == [
        f"{tmp_path / 'c.toml'}:2: a table is keep, empty, skip, or a mapping with `columns:`"
        " (there are: empty, keep, skip)"
    ]
    (tmp_path / "c.toml").write_text('[classes]\nk = "hash"\n[tables.t.columns]\na = "k"\n', "utf-8")
    assert [t.where for t in Policy.load(tmp_path / "p.yaml").tables] == [f"{tmp_path / 'c.toml'}:3"]


def test_what_an_included_file_may_not_be(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ninclude:\n  - list.yaml\n  - two.yaml\n  - gone.yaml\n", "utf-8")
    (tmp_path / "list.yaml").write_text("- a\n", "utf-8")
    (tmp_path / "two.yaml").write_text("version: 2\njobs: {}\ntable: {}\n", "utf-8")
    with pytest.raises(PolicyError) as error:
        Policy.load(tmp_path / "p.yaml")
    assert [str(p).replace(f"{tmp_path}/", "") for p in error.value.problems] == [
        "p.yaml:5: gone.yaml: cannot be read: No such file or directory",
        "list.yaml:1: is no policy: expected a mapping with `version:` and `tables:`",
        "two.yaml:1: needs `version: 1`, the version of policies that this dbmask reads",
        "two.yaml:2: `jobs:` belongs into the main policy, not into an included file",
        "two.yaml:3: unknown key 'table' (did you mean tables?)",
    ]


def test_the_digest_is_of_what_is_said_and_not_of_how(tmp_path: Path) -> None:
    one = load("version: 1\nallow_residue: {a: 1.0, b: [.inf, 2024-01-01, null]}\ntables: {t: keep, u: skip}")
    other = load(
        "# the same\ntables:\n  u: skip\n  t: keep\nallow_residue: {b: [.inf, '2024-01-01', ~], a: 1}\nversion: 1"
    )
    assert one.digest == other.digest
    assert len(one.digest) == 64
    dates = {"b": [float("inf"), date(2024, 1, 1), None], "a": 1}
    data = {"version": 1, "allow_residue": dates, "tables": {"t": "keep", "u": "skip"}}
    assert Policy.from_dict(data).digest == one.digest
    assert Policy.from_dict({**data, "default": "keep"}).digest != one.digest


def test_plain_data_keeps_its_order_of_problems() -> None:
    with pytest.raises(PolicyError) as error:
        Policy.from_dict({"version": 1, "tabels": {}, "key": "x"})
    assert [p.where for p in error.value.problems] == ["tabels", "key"]
