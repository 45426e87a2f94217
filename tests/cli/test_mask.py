"""``dbmask mask`` as a process: streams, exit codes, what is said where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbmask.cli import run

_ROOT = Path(__file__).parents[2]
_CSV = b"id,name,phone,region\n1,Alice,555-0101,US-CA\n2,Bob,555-0102,US-NY\n"
_RULES = {"id": "hash", "name": "drop", "phone": {"strategy": "redact", "char": "X", "keep_end": 4}}
_MASKED = b"""id,phone,region
6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b,XXXX0101,US-CA
d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35,XXXX0102,US-NY
"""


def _dbmask(folder: Path, *args: str, given: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join(str(_ROOT / p) for p in (".", "sql", "connectors"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DBMASK")}
    return subprocess.run(
        [sys.executable, "-m", "dbmask", *args],
        cwd=folder,
        input=given,
        capture_output=True,
        check=False,
        timeout=120,
        env={**kept, "PYTHONPATH": path, **environ},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data and rules."""
    (tmp_path / "in.csv").write_bytes(_CSV)
    (tmp_path / "rules.json").write_text(json.dumps(_RULES))
    return tmp_path


def test_file_to_file(folder: Path) -> None:
    done = _dbmask(folder, "mask", "--rules", "rules.json", "--input", "in.csv", "--output", "out.csv")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().splitlines() == ["Passed without a rule: region", "2 rows masked into out.csv"]
    assert (folder / "out.csv").read_bytes() == _MASKED


def test_the_flat_form_and_streams(folder: Path) -> None:
    done = _dbmask(folder, "--rules", "rules.json", given=_CSV)
    assert (done.returncode, done.stdout) == (0, _MASKED)
    done = _dbmask(
        folder,
        "mask",
        "--rules",
        "rules.json",
        "--input",
        "-",
        "--output",
        "-",
        "--format",
        "jsonl",
        "--input-format",
        "csv",
        given=_CSV,
    )
    assert [json.loads(line)["phone"] for line in done.stdout.splitlines()] == ["XXXX0101", "XXXX0102"]
    lines = b'{"id": 1, "phone": "12345", "name": "x"}\n'
    done = _dbmask(folder, "mask", "--rules", "rules.json", "--format", "jsonl", given=lines)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"id": _MASKED.split(b"\n")[1].split(b",")[0].decode(), "phone": "X2345"}


@pytest.mark.parametrize("form", ["yaml", "toml"])
def test_rules_in_other_formats(folder: Path, form: str) -> None:
    text = {
        "yaml": "id: hash\nname: drop\nphone: {strategy: redact, char: X, keep_end: 4}\n",
        "toml": 'id = "hash"\nname = "drop"\n[phone]\nstrategy = "redact"\nchar = "X"\nkeep_end = 4\n',
    }[form]
    (folder / f"rules.{form}").write_text(text)
    done = _dbmask(folder, "mask", "--rules", f"rules.{form}", "--input", "in.csv")
    assert (done.returncode, done.stdout) == (0, _MASKED)


def test_salt_from_option_and_environment(folder: Path) -> None:
    by_option = _dbmask(folder, "mask", "--rules", "rules.json", "--input", "in.csv", "--salt", "gs")
    by_environ = _dbmask(folder, "mask", "--rules", "rules.json", "--input", "in.csv", DBMASK_SALT="gs")
    assert by_option.stdout == by_environ.stdout
    assert b"a9ee25e87c2a4b288991f5f723f20228c2d72008c09b6db29e62a0e579c4a840" in by_option.stdout


@pytest.mark.parametrize(
    ("rules", "args", "code", "said"),
    [
        ({"id": "hsah"}, [], 2, "rules.json:1: there is no strategy 'hsah' (did you mean hash?)"),
        ({"id": {"strategy": "hash", "algo": "nope"}}, [], 2, "algo"),
        ({"ident": "hash"}, [], 2, "a rule matched no field: ident"),
        ({"name": {"strategy": "noise", "sigma": 1}}, [], 1, "in.csv:2: field 'name': noise needs a number"),
        ({"id": "hash"}, ["--strict"], 2, "name, phone, region"),
        ({"id": "hash"}, ["--policy", "p.yaml"], 2, "give one of --rules, --policy and --step"),
        ({"id": "hash"}, ["--table", "t"], 2, "--table belongs to --policy"),
        ({"id": "email"}, [], 2, "no key was given"),
    ],
)
def test_exit_codes(
    folder: Path,
    rules: dict[str, object],
    args: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DBMASK_KEY", raising=False)
    (folder / "rules.json").write_text(json.dumps(rules))
    before = {p.name for p in folder.iterdir()}
    assert run(["mask", "--rules", "rules.json", "--input", "in.csv", "--output", "out.csv", *args]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert "Alice" not in err
    assert {p.name for p in folder.iterdir()} == before


def test_noise_with_epsilon_warns(folder: Path) -> None:
    (folder / "n.json").write_text('{"n": 3}')
    rules = {"n": {"strategy": "noise", "epsilon": 2, "sensitivity": 1, "seed": "s"}}
    (folder / "rules.json").write_text(json.dumps(rules))
    done = _dbmask(folder, "mask", "--rules", "rules.json", "--input", "n.json")
    assert done.returncode == 0
    said = done.stderr.decode()
    assert "no privacy guarantee is left" in said
    assert "epsilon below 1" in said


def test_a_policy_over_a_file(folder: Path) -> None:
    columns = "{id: keep, name: first_name, phone: {mask: redact, keep_end: 4}, region: keep}"
    (folder / "p.yaml").write_text(f"version: 1\ntables:\n  shop.in:\n    columns: {columns}\n")
    args = ["mask", "--policy", "p.yaml", "--input", "in.csv"]
    assert _dbmask(folder, *args).returncode == 2  # no key
    done = _dbmask(folder, *args, DBMASK_KEY="a key that is long enough")
    assert done.returncode == 0
    rows = [line.split(",") for line in done.stdout.decode().splitlines()]
    assert [r[2] for r in rows] == ["phone", "****0101", "****0102"]
    assert rows[1][1] != "Alice"


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    if not os.path.exists("/dev/full"):
        raise AssertionError("this test needs /dev/full")
    done = _dbmask(folder, "mask", "--rules", "rules.json", "--input", "in.csv", "--output", "/dev/full")
    assert done.returncode == 1
    assert "could not be written" in done.stderr.decode()
