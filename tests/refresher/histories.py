"""Random days in the life of a source, of its policy and of those who should not write to the replica."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import psycopg

from tests.refresher.nights import Night

__all__ = ["a_day", "change_policy", "meddle", "reshape"]

_MASKS = {
    "name: redact": ("name: redact", "name: hash", "name: first_name"),
    "label: {mask: redact, keep_start: 2}": ("label: {mask: redact, keep_start: 2}", "label: redact", "label: keep"),
    "said: redact": ("said: redact", "said: hash"),
    "body: first_name": ("body: first_name", "body: redact", "body: drop"),
    "who: redact": ("who: redact", "who: shuffle"),
}


def _statements(random: Random) -> list[str]:
    n = random.randrange
    one, other, word = n(1, 60), n(1, 60), f"w{n(10**9)}"
    day = f"date '2020-01-01' + {n(700)}"
    return [
        f"UPDATE person SET name = '{word}' WHERE id = {one}",
        f"UPDATE person SET name = name || 'x' WHERE id BETWEEN {one} AND {other}",
        f"UPDATE person SET boss = {other} WHERE id = {one}",
        f"UPDATE person SET id = id + 1000 WHERE id = {one} AND NOT EXISTS (SELECT FROM person p WHERE p.boss = {one}) "
        f"AND NOT EXISTS (SELECT FROM item WHERE person = {one})",
        f"INSERT INTO person VALUES ({one}, '{word}', '{word}@mail.example', NULL)",
        f"DELETE FROM person WHERE id = {one}",
        f"UPDATE person SET email = NULL WHERE id = {one}",
        f"INSERT INTO item (person, code, label, amount) VALUES ({one}, '{word}', 'l{word}', {n(99)})",
        f"INSERT INTO item (person, code, label, amount) SELECT {one}, '{word}' || i, NULL, i FROM generate_series(1, {n(9)}) i",
        f"DELETE FROM item WHERE id % 7 = {n(7)}",
        f"UPDATE item SET person = {one}, code = '{word}' WHERE id = {other}",
        # Rows exchange what is unique: each gets its neighbour's.
        "UPDATE item SET code = code || '~'; UPDATE item i SET code = j.code FROM "
        "(SELECT id, coalesce(lead(left(code, -1)) OVER w, first_value(left(code, -1)) OVER w) AS code "
        "FROM item WINDOW w AS (ORDER BY id)) j WHERE i.id = j.id",
        "TRUNCATE item",
        "TRUNCATE item; INSERT INTO item (person, code, label) SELECT id, 'again' || id, 'again' FROM person",
        f"INSERT INTO loose VALUES ('{word}', 'w'), ('{word}', 'w')",
        "DELETE FROM loose WHERE ctid = (SELECT min(ctid) FROM loose)",
        f"UPDATE loose SET who = '{word}' WHERE what < '{n(16):x}'",
        f"UPDATE pair SET a = '{word}' WHERE b = {n(5)} AND a = 'k{n(8)}'",
        f"UPDATE pair SET note = json_build_object('m', {n(9)}) WHERE b = {n(5)}",
        f"INSERT INTO pair (a, b, body) VALUES ('{word}', {n(99)}, NULL)",
        "DELETE FROM pair WHERE b = 2",
        "TRUNCATE pair",
        f"UPDATE event SET day = {day} WHERE id = {one}",
        f"UPDATE event SET id = id + 500, who = '{word}' WHERE id = {one}",
        f"INSERT INTO event VALUES ({n(10**6)}, {day}, '{word}')",
        f"DELETE FROM event WHERE id = {one}",
        "INSERT INTO log (said) SELECT 'said' FROM generate_series(1, 3)",
        "TRUNCATE log",
        "DELETE FROM log WHERE id = (SELECT min(id) FROM log)",
        f"UPDATE account SET holder = '{word}', changed = clock_timestamp() WHERE id IN (SELECT id FROM account ORDER BY id LIMIT {n(5)})",
        f"INSERT INTO account VALUES (gen_random_uuid(), '{word}', clock_timestamp())",
        f"DELETE FROM account WHERE id::text < '{n(16):x}'",
        "UPDATE account SET id = gen_random_uuid(), changed = clock_timestamp() WHERE holder LIKE '%3'",
        f"SELECT setval('own_count', {n(1, 99)})",
        "VACUUM FULL person",
        "CLUSTER item USING item_pkey",
        "VACUUM FREEZE item",
    ]


def a_day(night: Night, random: Random, many: int) -> list[str]:
    """Statements that the source's constraints let pass; some are rolled back."""
    done = []
    with night.postgres.connect(night.source) as connection:
        for _ in range(many):
            statement = random.choice(_statements(random))
            with suppress(psycopg.errors.IntegrityError):
                if random.random() < 0.1 and not statement.startswith(("VACUUM", "CLUSTER")):
                    connection.execute(f"BEGIN; {statement}; ROLLBACK".encode())
                    continue
                connection.execute(statement.encode())
                done.append(statement)
            if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
                connection.rollback()
    return done


def change_policy(night: Night, random: Random) -> str:
    """Another mask for a column, or another epoch."""
    if random.random() < 0.2:
        night.policy = night.policy.replace("version: 1\n", f"version: 1\nepoch: e{random.randrange(99)}\n", 1)
        lines = night.policy.splitlines()
        night.policy = "\n".join(
            [lines[0], *(x for i, x in enumerate(lines[1:]) if i == 0 or not x.startswith("epoch:"))]
        )
        return "epoch"
    chosen = random.choice(list(_MASKS.values()))
    was = next(m for m in sorted(chosen, key=len, reverse=True) if m in night.policy)
    now = random.choice([m for m in chosen if m != was])
    night.policy = night.policy.replace(was, now)
    return f"{was} -> {now}"


def reshape(night: Night, random: Random, number: int) -> str:
    """The source's structure changes, in ways that the policy covers."""
    chosen = random.choice(
        [
            f"ALTER TABLE pair ADD COLUMN more{number} int DEFAULT {number}",
            f"ALTER TABLE log ADD COLUMN more{number} text",
            "ALTER TABLE item ALTER COLUMN label TYPE varchar(200)",
            f"CREATE INDEX ON loose (what) WHERE what > '{number}'",
            f"ALTER TABLE account ADD CONSTRAINT c{number} CHECK (changed > '2000-01-01')",
            "ALTER TABLE event DROP COLUMN IF EXISTS who; ALTER TABLE event ADD COLUMN who text DEFAULT 'W'",
        ]
    )
    night.sql(chosen)
    return chosen


def meddle(night: Night, random: Random) -> str:
    """Somebody writes to the replica."""
    chosen = random.choice(
        [
            "UPDATE person SET name = 'meddled' WHERE id = (SELECT min(id) FROM person)",
            "DELETE FROM item WHERE id = (SELECT max(id) FROM item)",
            "INSERT INTO loose VALUES ('meddled', 'meddled')",
            "TRUNCATE pair",
            "UPDATE log SET said = 'meddled'",
            "DELETE FROM account; INSERT INTO account VALUES (gen_random_uuid(), 'meddled', now())",
        ]
    )
    with night.postgres.connect(night.target) as connection:
        connection.execute(chosen.encode())
    return chosen
