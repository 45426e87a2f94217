"""What docker/ holds: the commands of its compose file run as they stand, over servers of this machine in place of containers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from dbmask.cli import run
from dbmask.proxy.users import add_user
from tests.fix_postgres import Postgres
from tests.fix_servers import alone, free_port
from tests.proxy.own_roles import among_own_roles

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))
WORD = "the analyst's password"


@pytest.fixture
def place(
    postgres: Postgres, postgres_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Secrets in files, the example in a database; what stands in the compose file for each."""
    with alone(postgres.log.parent, "roles"), among_own_roles():
        name, metrics = postgres_db.rpartition("/")[2], free_port()
        postgres.psql(name, (ROOT / "docker" / "example" / "shop.sql").read_text("utf-8"))
        for secret, body in (("mask_key", "07" * 32), ("analyst_password", "letmein")):
            (tmp_path / secret).write_text(body)
        add_user(tmp_path / "users", "ana", WORD)
        monkeypatch.setenv("SOURCE_URL", postgres_db)
        monkeypatch.setenv("REPLICA_URL", postgres.url(f"{name}_masked"))
        monkeypatch.setenv("PROXY_URL", postgres.url(name, "analyst", "letmein"))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        policy = str(ROOT / "docker" / "example")
        listen = f"127.0.0.1:{free_port()}"
        yield {"/etc/dbmask": policy, "/run/secrets": str(tmp_path), "0.0.0.0:6432": listen, "9187": str(metrics)}
        words = ["--source", postgres_db, "--role", "analyst"]
        assert run(["uninstall", f"{policy}/policy.yaml", *words]) == 0
        with postgres.connect() as connection:
            query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (left,) in connection.execute(query, (f"{name}_masked",)).fetchall():
                postgres.drop_database(left)


def command(service: str, here: dict[str, str]) -> list[str]:
    """A service's command with this machine's places."""
    words = [str(word) for word in COMPOSE["services"][service]["command"]]
    return [re.sub("|".join(map(re.escape, here)), lambda m: here[m[0]], word) for word in words]


def test_the_services_run_as_they_are_written(
    place: dict[str, str], postgres: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    """Install, refresh twice, and a query through the proxy, which says that it is well."""
    assert run(command("install", place)) == 0
    once = [word for word in command("refresh", place) if word != "--daemon"]
    assert run(once) == 0, capfd.readouterr()
    assert run(once) == 0, capfd.readouterr()
    with psycopg.connect(os.environ["REPLICA_URL"]) as replica, psycopg.connect(os.environ["SOURCE_URL"]) as source:
        query = "SELECT count(*), count(*) FILTER (WHERE body LIKE '%@mail.example%') FROM ticket"
        assert source.execute(query).fetchone() == (2000, 2000)
        assert replica.execute(query).fetchone() == (2000, 0)
    words = [sys.executable, "-m", "dbmask", *command("proxy", place)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("", "sql", "connectors"))}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Listening"), line + process.stdout.read(2000)
        host, _, port = place["0.0.0.0:6432"].partition(":")
        name = os.environ["SOURCE_URL"].rpartition("/")[2]
        with psycopg.connect(host=host, port=int(port), user="ana", password=WORD, dbname=name) as client:
            masked = client.execute("SELECT email FROM customer WHERE id = 7").fetchone()
            assert masked is not None and "person7@" not in masked[0]
        health = {**os.environ, "DBMASK_HEALTH_URL": f"http://127.0.0.1:{place['9187']}/healthz"}
        check = [sys.executable, str(ROOT / "docker" / "healthcheck.py")]
        assert subprocess.run(check, env=health, check=False).returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert subprocess.run(check, env=health, check=False).returncode == 1
    finally:
        process.kill()
        process.communicate()


def test_what_is_written_hangs_together() -> None:
    """Services, secrets, volumes and files that are named are there; nothing runs as root or writes where it need not."""
    services, root = COMPOSE["services"], ROOT / "docker"
    for name, service in services.items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            what = volume.partition(":")[0]
            assert (root / what).exists() if what.startswith(".") else what in COMPOSE["volumes"], volume
        if service["image"] == "dbmask":
            assert service["read_only"] and service["cap_drop"] == ["ALL"]
            assert (root.parent / service["build"]["dockerfile"]).exists()
            assert not any("://" in word for word in service["command"]), "a URL in an argument is seen by others"
    image = (root / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER 10001$", image, re.M) and "HEALTHCHECK" in image


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """A second run leaves keys and passwords as they are; no other user can enter the folder."""
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((ROOT / "docker" / "make-secrets.sh").read_bytes())
    made = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made.append({p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {Path(s["file"]).name for s in COMPOSE["secrets"].values()} | {"urls.env"}
    assert len(made[0]["mask.key"]) == 48 and len(set(made[0].values())) == len(made[0])
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0
