"""``dbmask proxy`` as a process: psql and psycopg work on masked rows, and it ends and refuses as it says."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbmask.cli import run
from dbmask.errors import CheckFailed, ConnectorError
from dbmask.policy import Policy
from dbmask.proxy.source import look_at_source
from tests.fix_postgres import Postgres
from tests.proxy.serving import POLICY, WORD, Place, ended, placed, start


@pytest.fixture
def place(postgres: Postgres, postgres_db: str, tmp_path: Path) -> Iterator[Place]:
    with placed(postgres, postgres_db, tmp_path, f"served_{os.getpid()}") as made:
        yield made


@pytest.mark.slow
def test_clients_work_on_masked_rows(place: Place, postgres: Postgres) -> None:
    process, line = start(place)
    try:
        assert line.startswith("Listening on 127.0.0.1:")
        name = place.source.rpartition("/")[2]
        there = {"host": "127.0.0.1", "port": line.rpartition(":")[2].strip(), "user": "ana", "dbname": name}
        with psycopg.connect(**there, password=WORD) as client:  # type: ignore[arg-type]  # its stubs want each by name
            rows = client.execute("SELECT id, name, mail FROM person WHERE id = %s", (7,)).fetchall()
            assert rows[0][:2] == (7, "S**********") and "secret" not in rows[0][2]
            assert client.execute("SELECT count(*) FROM person WHERE name = 'Secretname7'").fetchone() == (0,)
            assert client.execute("SELECT name FROM town", binary=True).fetchall() == [("Brno",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege), client.transaction():
                client.execute("DELETE FROM town")
            with client.cursor("held") as held:
                assert (
                    len(held.execute("SELECT p.name, t.name FROM person p JOIN town t ON t.id < p.id").fetchall()) == 49
                )
            with client.cursor().copy("COPY (SELECT name FROM person WHERE id < 3) TO STDOUT") as out:
                assert b"".join(out) == b"S**********\nS**********\n"
        asked = ["TABLE town", "SELECT name FROM person ORDER BY id LIMIT 1", "DROP TABLE town"]
        login = ["-h", there["host"], "-p", there["port"], "-U", "ana", name]
        psql = subprocess.run(
            [str(postgres.bin / "psql"), "-X", "-At", *login, *(word for text in asked for word in ("-c", text))],
            env={**os.environ, "PGPASSWORD": WORD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert psql.stdout == "1|Brno\nS**********\n"
        assert "ERROR" in psql.stderr and "Secret" not in psql.stderr
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**there, password=WORD[:5])  # type: ignore[arg-type]  # as above
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_source_is_looked_at_as_the_role(place: Place, postgres: Postgres) -> None:
    name = place.source.rpartition("/")[2]
    role = place.role_url.partition("://")[2].partition(":")[0]
    policy = Policy.load(place.policy)
    address, catalog = look_at_source(policy, place.role_url)
    assert (address.user, address.database, address.tls) == (role, name, None)
    assert WORD.replace(" ", "") not in repr(address)
    assert catalog is not None
    with pytest.raises(CheckFailed, match="not what is installed"):
        look_at_source(Policy.from_text(POLICY.replace("mail: email", "mail: keep")), place.role_url)
    with pytest.raises(ConnectorError, match="refused the masked role") as caught:
        look_at_source(policy, place.role_url.replace(WORD.replace(" ", ""), "another"))
    assert "another" not in str(caught.value)
    postgres.psql(name, f'GRANT SELECT ON public.person TO "{role}"')
    try:
        with pytest.raises(CheckFailed, match=r"could get around its views") as found:
            look_at_source(policy, place.role_url)
        gap = str(found.value).splitlines()[1].strip().partition(":")[0]
        assert look_at_source(policy, place.role_url, [gap])[0].user == role
    finally:
        postgres.psql(name, f'REVOKE SELECT ON public.person FROM "{role}"')


@pytest.mark.slow
def test_it_does_not_start_before_what_it_cannot_hold(place: Place, postgres: Postgres) -> None:
    name = place.source.rpartition("/")[2]
    role = place.role_url.partition("://")[2].partition(":")[0]
    postgres.psql(name, f'GRANT SELECT ON public.person TO "{role}"')
    process, line = start(place)
    rest = ended(process)
    assert process.returncode == 3
    assert "could get around its views" in line and "REVOKE" in rest and "person" in rest
    postgres.psql(name, f'REVOKE SELECT ON public.person FROM "{role}"')
    place.policy.write_text(POLICY.replace("mail: email", "mail: keep"), "utf-8")
    process, line = start(place)
    ended(process)
    assert process.returncode == 3 and "not what is installed" in line
    place.policy.write_text(POLICY, "utf-8")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--listen", "nowhere"], "--listen wants HOST:PORT"),
        (["--tls-cert", "missing.pem"], "missing.pem and its key cannot be read"),
    ],
)
def test_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(POLICY, "utf-8")
    Path("users").touch(mode=0o600)
    assert run(["proxy", "p.yaml", "--source", "postgresql://u@127.0.0.1:1/x", "--users", "users", *more]) == 2
    assert message in capsys.readouterr().err


def test_users_are_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dbmask.proxy.users import add_user

    file = str(tmp_path / "users")
    add_user(file, "ana", WORD)
    add_user(file, "eva", WORD)
    assert oct(Path(file).stat().st_mode & 0o777) == "0o600"
    assert WORD not in Path(file).read_text("utf-8")
    assert run(["user", "list", "--users", file]) == 0
    assert capsys.readouterr().out.split() == ["ana", "eva"]
    assert run(["user", "remove", "ana", "--users", file]) == 0
    assert run(["user", "list", "--users", file]) == 0
    assert capsys.readouterr().out.split() == ["eva"]
    assert run(["user", "remove", "ana", "--users", file]) == 2
    assert "ana" in capsys.readouterr().err
