"""PostgreSQL's JDBC driver, as Debian has it, through the proxy: its metadata are those of the original."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fix_servers import find_program
from tests.proxy.proxied import WORD
from tests.proxy.shop import Shop

DRIVER = Path("/usr/share/java/postgresql.jar")
PROGRAM = Path(__file__).with_name("Jdbc.java")


def found(place: Shop, through: bool) -> list[str]:
    """What the program prints."""
    assert DRIVER.exists(), "the JDBC driver is not installed; run scripts/servers.sh"
    postgres = place.postgres
    there = f"127.0.0.1:{place.proxy.port if through else postgres.port}/{place.proxy.database}"
    login = f"user=ana&password={WORD}"
    if not through:
        there = f"127.0.0.1:{postgres.port}/{place.plain.rpartition('/')[2]}"
        user, _, password = place.plain.partition("://")[2].partition("@")[0].partition(":")
        login = f"user={user}&password={password}"
    url = f"jdbc:postgresql://{there}?{login}"
    java = [find_program("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", str(DRIVER), str(PROGRAM), url]
    done = subprocess.run(
        [*java, "through" if through else "plain"], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_the_driver_finds_the_original(place: Shop) -> None:
    through, plain = found(place, True), found(place, False)
    assert [line for line in through if not line.startswith("refused")] == plain
    assert [line for line in through if line.startswith("refused")] == ["refused 42501", "refused 22P02 false"]
    assert not any("Secret" in line for line in through)
    assert {"state|42703", "cancelled|57014", "fetched|40|true"} <= set(through)
