"""psql and pgbench through the proxy: what they show is what they show of the database itself, without its values."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.shop import SECRET, Shop

COMMANDS = (
    *(r"\d", r"\d+", r"\d person", r"\d+ person", r"\d visit", r"\d town", r"\d part", r"\d+ part_a", r"\d named"),
    *(
        r"\d costs",
        r"\d+ named",
        r"\d counter",
        r"\d person_town",
        r"\d person_part",
        r"\d person_lower",
        r"\dt",
        r"\dt+",
    ),
    *(r"\dt *.person", r"\dv", r"\dv+", r"\dm", r"\di", r"\di+", r"\ds", r"\df", r"\df+ plus", r"\dT", r"\dT+", r"\dD"),
    *(r"\dn", r"\dx", r"\dC", r"\do", r"\da", r"\db", r"\dc", r"\dO", r"\dL", r"\dy", r"\dP", r"\dX", r"\dRp", r"\det"),
    *(
        r"\des",
        r"\dew",
        r"\dF",
        r"\dFd",
        r"\dFp",
        r"\dFt",
        r"\dAc",
        r"\dAf",
        r"\dAo",
        r"\du dbmask_admin",
        r"\encoding",
    ),
    *(r"\d information_schema.columns", r"\d pg_class", r"\dd nothing", r"\sf plus", r"\sv named"),
)
# Comments may hold anything, and --harden gives rights by name.
WITHHELD = {"Description", "Access privileges", "Source code", "Start", "Minimum", "Maximum"}
NOT_SERVED = {r"\sf plus"}  # a function's source


def shown(place: Shop, through: bool) -> dict[str, list[str]]:
    """What psql prints for each command."""
    script = "".join(f"\\echo @@@ '{c.replace(chr(92), chr(92) * 2)}'\n{c}\n" for c in COMMANDS)
    done = place.program("psql", "-X", "-A", "-f", "-", through=through, stdin=script)
    assert SECRET not in done.stdout + done.stderr or not through
    refused = re.findall(r"ERROR:.*", done.stderr.decode())
    assert len(refused) == (len(NOT_SERVED) if through else 0), refused
    parts = done.stdout.decode().split("@@@ ")[1:]
    return {text.partition("\n")[0]: list(bare(text.splitlines()[1:])) for text in parts}


def bare(lines: list[str]) -> Iterator[str]:
    """Lines without literals of definitions, and without columns that the proxy leaves empty."""
    hidden: list[int] = []
    width = 0
    for line in lines:
        cells = line.split("|")
        if any(c in WITHHELD for c in cells):
            hidden, width = [i for i, c in enumerate(cells) if c in WITHHELD], len(cells)
        elif len(cells) == width:
            cells = ["" if i in hidden else c for i, c in enumerate(cells)]
        text = "|".join(cells)
        if re.search(r"CHECK|WHERE|FOR VALUES|DEFAULT|constraint|generated|<>|::|^size", text):
            text = re.sub(r"\b\d[\d.]*", "0", re.sub(r"'[^']*'", "'...'", text))
        yield text


def test_psql_describes_the_original(place: Shop) -> None:
    through, plain = shown(place, True), shown(place, False)
    for command in COMMANDS:
        assert command in NOT_SERVED or through[command] == plain[command], command
    assert any("character varying(20)" in line for line in through[r"\d person"])


def test_psql_lists_databases_and_rights(place: Shop) -> None:
    done = place.program("psql", "-X", "-A", "-f", "-", stdin="\\l\n\\dn+\n\\dp\n\\z person\n\\conninfo\n\\du\n")
    assert [line for line in done.stderr.decode().splitlines() if "ERROR" in line] == []
    assert place.proxy.database.encode() in done.stdout and b"public|" in done.stdout


def typed(place: Shop, keys: list[tuple[str, str]]) -> str:
    """psql at a terminal: each text is typed, and what it completes to is waited for."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PSQLRC": "/dev/null", "INPUTRC": "/dev/null", "PAGER": ""}
    command = [place.postgres.program("psql"), "-X", "-q", place.proxy.url()]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    seen = ""
    try:
        for text, wanted in keys:
            os.write(master, text.encode())
            seen, part = seen + f"<{text}>", ""
            deadline = time.monotonic() + 10
            while wanted not in part:
                ready, _, _ = select.select([master], [], [], max(0.0, deadline - time.monotonic()))
                assert ready, f"{text!r} did not give {wanted!r}: {seen}{part}"
                part += os.read(master, 4096).decode("utf-8", "replace").replace("\a", "")
            seen += part
        return seen
    finally:
        process.kill()
        process.wait(10)
        os.close(master)


def test_psql_completes_names(place: Shop) -> None:
    clear = "\x15"  # forgets the line
    seen = typed(
        place,
        [
            ("", "=> "),
            ("SELECT * FROM pers\t", "person"),
            (clear + "SELECT * FROM public.tow\t", "public.town"),
            (clear + r"\d pgbench_acc" + "\t", "pgbench_accounts"),
            (clear + r"\df plu" + "\t", "plus"),
            (clear + r"\dT moo" + "\t", "mood"),
            (clear + r"\dn publ" + "\t", "public"),
            (clear + "SET search_pa\t", "search_path"),
            (clear + "SET search_path TO pub\t", "public"),
            (clear + "SELECT * FROM person WHERE initi\t", "initial"),
            (clear + "COMMENT ON CONSTRAINT ck_sc\t", "ck_score"),
            (clear + "ALTER TABLE visit ALTER COLUMN cos\t", "cost"),
            (clear + "DROP INDEX person_lo\t", "person_lower"),
            (clear + "GRANT SELECT ON part_\t", "part_a"),
            (clear + "ALTER TYPE mood RENAME VALUE 's\t", "sad"),
        ],
    )
    assert "ERROR" not in seen and "Secret" not in seen


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(place: Shop, tmp_path: Path, mode: str) -> None:
    script = tmp_path / "select.sql"
    script.write_text(
        "\\set aid random(1, 1000)\nBEGIN;\nSELECT a.abalance, b.bbalance, a.filler FROM pgbench_accounts a"
        " JOIN pgbench_branches b USING (bid) WHERE a.aid = :aid;\n"
        "SELECT count(*) AS people FROM person WHERE name = 'Secret1' \\gset\nSELECT 1 / (:people + 1);\nEND;\n",
        "utf-8",
    )
    for what in (["-S"], ["-f", str(script)]):
        done = place.program("pgbench", "-n", "-M", mode, "-c", "2", "-t", "10", *what)
        assert done.returncode == 0, done.stderr
        assert b"number of transactions actually processed: 20/20" in done.stdout
        assert b"number of failed transactions: 0" in done.stdout
