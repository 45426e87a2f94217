"""The proxy against pgbouncer and a direct connection in the same run: pgbench -S, a million rows, what a rewrite costs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy.install import install
from dbmask.proxy.metrics import Numbers
from dbmask.proxy.rewrite_cache import CachedRewriter
from dbmask.proxy.rewrite_catalog import Catalog, load_catalog
from dbmask.proxy.users import add_user

ROLE, WORD, DATABASE = "bench_analyst", "benchword", "bench"
TRANSACTIONS, RUNS = int(os.environ.get("BENCH_TRANSACTIONS", "32000")), 3
ROWS = 1_000_000
POLICY = """version: 1
tables:
  pgbench_accounts: keep
  pgbench_branches: keep
  pgbench_tellers: keep
  pgbench_history: keep
  person: {columns: {id: keep, name: redact, town: keep}}"""


@dataclass(frozen=True)
class Way:
    """A way to the server; ``process`` is who stands between, with its children."""

    name: str
    port: int
    user: str
    process: int | None = None

    def cpu(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        if self.process is None:
            return 0.0
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text("utf-8").split()
        ticks = 0
        for pid in (str(self.process), *children):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Everything, on a server of its own."""
    from tests import fix_postgres
    from tests.fix_servers import acquire

    bouncer = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    fix_postgres.SETTINGS["max_connections"] = "500"  # each way keeps its own
    with acquire("benchproxy", fix_postgres._prepare) as facts, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = f"{fix_postgres.USER}:{fix_postgres.PASSWORD}@127.0.0.1:{facts['port']}"
        policy = Policy.from_text(POLICY)
        prepare(f"postgresql://{base}", Path(facts["bin"]), policy)
        (folder / "p.yaml").write_text(POLICY, "utf-8")
        add_user(folder / "users", "ana", WORD)
        role_url = f"postgresql://{ROLE}:{WORD}@127.0.0.1:{facts['port']}/{DATABASE}"
        with contextlib.ExitStack() as stack:
            ways = [Way("direct", facts["port"], ROLE)]
            if bouncer:
                port, process = stack.enter_context(pgbouncer(bouncer, folder, facts["port"]))
                ways.append(Way("pgbouncer", port, ROLE, process))
            for workers in (1, 2):
                port, process = stack.enter_context(proxy(folder, role_url, workers))
                ways.append(Way(f"proxy, {workers} worker{'s'[: workers - 1]}", port, "ana", process))
            transactions(Path(facts["bin"]), ways)
            rows(ways)
        with psycopg.connect(role_url, autocommit=True) as connection:
            rewrites(load_catalog(connection))


def prepare(base: str, programs: Path, policy: Policy) -> None:
    """pgbench's tables and one with a masked column, installed for the role."""
    with psycopg.connect(f"{base}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {DATABASE}".encode())
    subprocess.run(
        [str(programs / "pgbench"), "-i", "-q", "-s", "10", f"{base}/{DATABASE}"], check=True, capture_output=True
    )
    with psycopg.connect(f"{base}/{DATABASE}", autocommit=True) as admin:
        admin.execute("CREATE TABLE person (id int PRIMARY KEY, name text, town int)")
        admin.execute(b"INSERT INTO person SELECT i, 'Name' || i, i %% 100 FROM generate_series(1, %s) i", (ROWS,))
        install(policy, f"{base}/{DATABASE}", ROLE, keys=example_keys(), password=WORD, harden=True)
        admin.execute("VACUUM ANALYZE")


@contextlib.contextmanager
def pgbouncer(program: str, folder: Path, port: int) -> Iterator[tuple[int, int]]:
    """pgbouncer in session mode, logged in as the role."""
    from tests.fix_servers import free_port

    listen = free_port()
    config = folder / "bouncer.ini"
    (folder / "bouncer.users").write_text(f'"{ROLE}" "{WORD}"\n', "utf-8")
    lines = [
        "[databases]",
        f"{DATABASE} = host=127.0.0.1 port={port} dbname={DATABASE}",
        "[pgbouncer]",
        f"listen_addr=127.0.0.1\nlisten_port={listen}\nunix_socket_dir=\nauth_type=scram-sha-256",
        f"auth_file={folder}/bouncer.users\npool_mode=session\nmax_client_conn=200\ndefault_pool_size=110",
        "ignore_startup_parameters=extra_float_digits,search_path",
    ]
    config.write_text("\n".join(lines), "utf-8")
    shutil.chown(folder, "nobody") if os.getuid() == 0 else None
    for path in folder.iterdir():
        shutil.chown(path, "nobody") if os.getuid() == 0 and path.name.startswith("bouncer") else None
    who: Any = {"user": "nobody"} if os.getuid() == 0 else {}
    process = subprocess.Popen([program, str(config)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who)
    try:
        time.sleep(1)
        yield listen, process.pid
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def proxy(folder: Path, url: str, workers: int) -> Iterator[tuple[int, int]]:
    """dbmask proxy."""
    command = [sys.executable, "-m", "dbmask", "proxy", str(folder / "p.yaml"), "--source", url]
    command += ["--users", str(folder / "users"), "--listen", "127.0.0.1:0", "--workers", str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline() if process.stderr else ""
    try:
        yield int(line.rpartition(":")[2]), process.pid
    finally:
        process.terminate()
        process.communicate()


def transactions(programs: Path, ways: Sequence[Way]) -> None:
    """pgbench -S by both kinds of extended protocol, the ways in turn, medians."""
    for mode, clients in (("prepared", 16), ("extended", 16), ("simple", 16), ("prepared", 1), ("prepared", 100)):
        found: dict[str, list[float]] = {way.name: [] for way in ways}
        used: dict[str, list[float]] = {way.name: [] for way in ways if way.process}
        for _ in range(RUNS):
            for way in ways:
                before = way.cpu()
                tps = pgbench(programs, way, mode, clients)
                found[way.name].append(tps)
                if way.process:
                    used[way.name].append((way.cpu() - before) / TRANSACTIONS * 1e6)
        name = f"pgbench -S -M {mode} -c {clients}"
        report(name, "tps", {k: statistics.median(v) for k, v in found.items()})
        report(f"{name}: CPU between", "us", {k: statistics.median(v) for k, v in used.items()})


def pgbench(programs: Path, way: Way, mode: str, clients: int) -> float:
    """Transactions per second, without the connecting."""
    command = [
        str(programs / "pgbench"),
        "-S",
        "-n",
        "-M",
        mode,
        "-c",
        str(clients),
        "-j",
        "1",
        "-t",
        str(max(TRANSACTIONS // clients, 1)),
    ]
    command += ["-h", "127.0.0.1", "-p", str(way.port), "-U", way.user, DATABASE]
    environ = {**os.environ, "PGPASSWORD": WORD}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    match = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or match is None:
        raise RuntimeError(f"{way.name}: {done.stderr[-400:]}")
    return float(match[1])


def rows(ways: Sequence[Way]) -> None:
    """A SELECT of a million rows, of a table that is kept and of one with a masked column, read by libpq."""
    for table, columns in (("pgbench_accounts", "aid, bid, abalance"), ("person", "id, name, town")):
        found: dict[str, list[float]] = {way.name: [] for way in ways}
        for _ in range(RUNS):
            for way in ways:
                name = table
                if way.user == ROLE:
                    name = f"dbmask_{ROLE}_public.{table}"
                with psycopg.connect(
                    f"host=127.0.0.1 port={way.port} user={way.user} password={WORD} dbname={DATABASE}"
                ) as client:
                    began = time.perf_counter()
                    result = client.pgconn.exec_(f"SELECT {columns} FROM {name}".encode())
                    if result.ntuples != ROWS:
                        raise RuntimeError(f"{way.name}: {result.error_message!r}")
                    found[way.name].append(ROWS / (time.perf_counter() - began))
        report(f"SELECT {columns} FROM {table}", "rows/s", {k: statistics.median(v) for k, v in found.items()})


def rewrites(catalog: Catalog) -> None:
    """Microseconds of CPU that a rewrite takes, the best of several runs."""
    query = "SELECT abalance FROM pgbench_accounts WHERE aid = {}"
    place = (["$user", "public"], "ana", ["public"])
    cached = CachedRewriter(catalog, Numbers().of(0))
    for number in range(3):
        cached.rewrite(query.format(number), *place)
    texts = {
        "by text": [query.format(0)] * 5000,
        "by shape": [query.format(number) for number in range(10, 5010)],
        "not cached": [
            f"{query.format(number)} AND bid > {number} AS x{number}".partition(" AS")[0] for number in range(500)
        ],
    }
    found = {}
    for name, several in texts.items():
        rewriter = cached if name != "not cached" else cached._rewriter
        took = []
        for _ in range(5):  # the best of them: others' work on the machine makes each slower
            began = time.process_time()
            for text in several:
                rewriter.rewrite(text, *place)
            took.append((time.process_time() - began) / len(several) * 1e6)
        found[name] = min(took)
    report("rewrite of a point query (goals: cached 50, not cached 250)", "us", found)


def report(name: str, unit: str, found: dict[str, float]) -> None:
    """A JSON line and a table."""
    print(json.dumps({"name": name, "unit": unit, **{k: round(v, 1) for k, v in found.items()}}), flush=True)
    base = found.get("pgbouncer") if unit == "tps" else found.get("direct")
    for way, value in found.items():
        ratio = f"   {value / base:5.2f} of {'pgbouncer' if unit == 'tps' else 'direct'}" if base else ""
        print(f"{name:60} {way:18} {value:12,.1f} {unit}{ratio}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
