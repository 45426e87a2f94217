"""Replicas of a part of a database: what is skipped, dropped or empty takes along what hangs on it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dbmask.errors import ConnectorError, UsageError
from tests.connectors.postgres_spi import RECOMPUTE, Made, replicate, targets
from tests.fix_postgres import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def make(postgres: Postgres, loaded: Callable[[str], str], replica: str) -> Callable[..., Made]:
    def run(**parts: Any) -> Made:
        choose = partial(targets, recompute=RECOMPUTE, **parts)
        return replicate(postgres.url(loaded("hard")), postgres.url(replica), choose)

    return run


def ask(postgres: Postgres, database: str, query: str) -> list[Any]:
    with postgres.connect(database) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(query.encode()).fetchall()]


def test_a_skipped_table_takes_its_keys_and_views(postgres: Postgres, make: Callable[..., Made], replica: str) -> None:
    made = make(skip=["public.product"])
    assert set(made.structure.left_out) == {
        "view order_total in schema sales",
        "view customer_total in schema sales",
        "materialized view z_first in schema sales",
        "materialized view a_second in schema sales",
        "index z_first_key in schema sales",
        "fk constraint order_line order_line_sku_fkey in schema sales",
    }
    assert ask(postgres, replica, "SELECT to_regclass('public.product')") == [None]
    assert ask(postgres, replica, "SELECT count(*) FROM sales.order_line") == [60]
    assert ask(postgres, replica, "SELECT count(*) FROM hr.people") == [4]


def test_a_skipped_table_takes_functions_of_its_rows(make: Callable[..., Made]) -> None:
    sales = ["sales.customer", "sales.order", "sales.order_line", "sales.payment", "sales.refund"]
    made = make(skip=sales)
    assert {
        "function customers_of(text) in schema sales",
        "view by_key in schema sales",
        "materialized view a_key_count in schema public",
    } <= set(made.structure.left_out)
    assert not [w for w in made.structure.left_out if "payment" in w or "refund" in w]  # parts of skipped tables


def test_a_skipped_table_leaves_sequences_that_others_draw_on(
    postgres: Postgres, make: Callable[..., Made], replica: str, loaded: Callable[[str], str]
) -> None:
    made = make(skip=["hr.audit", "public.booking", "sales.refund"])
    assert made.structure.left_out == ()
    assert ask(postgres, replica, "SELECT to_regclass('sales.refund_refund_id_seq')") == [None]
    assert ask(postgres, replica, "SELECT to_regclass('public.downwards') IS NULL") == [False]


def test_a_sequence_stays_while_its_owner_is_skipped(postgres: Postgres, postgres_db: str, replica: str) -> None:
    script = (
        "CREATE TABLE a (id serial); CREATE TABLE b (id int DEFAULT nextval('a_id_seq')); INSERT INTO b DEFAULT VALUES"
    )
    postgres.psql(postgres_db.rpartition("/")[2], script)
    made = replicate(postgres_db, postgres.url(replica), partial(targets, skip=["public.a"]))
    assert made.structure.left_out == ()
    assert ask(postgres, replica, "INSERT INTO b DEFAULT VALUES RETURNING id") == [2]


def test_tables_that_may_not_be_read_may_be_skipped(postgres: Postgres, postgres_db: str, replica: str) -> None:
    script = """
        CREATE ROLE parts_reader LOGIN PASSWORD 'x'; CREATE TABLE seen (id int); CREATE TABLE hidden (id serial);
        CREATE SCHEMA closed; CREATE TABLE closed.too (id int PRIMARY KEY); GRANT SELECT ON seen TO parts_reader;
    """
    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, script)
    try:
        url = postgres.url(name, "parts_reader", "x")
        replicate(url, postgres.url(replica), partial(targets, skip=["public.hidden", "closed.too"]))
        with pytest.raises(ConnectorError, match=r"pg_dump failed: .*permission denied for table hidden"):
            replicate(url, postgres.url(replica), partial(targets, skip=["closed.too"]))
    finally:
        postgres.drop_database(replica)
        postgres.psql(name, "DROP OWNED BY parts_reader; DROP ROLE parts_reader")


def test_dropped_columns_take_what_reads_them(postgres: Postgres, make: Callable[..., Made], replica: str) -> None:
    dropped = [
        ("hr.employee", "birth"),
        ("sales.customer", "note"),
        ("sales.customer", "vat"),
        ("hr.employee", "salary"),
    ]
    made = make(dropped=dropped)
    assert set(made.structure.left_out) == {
        "view contact in schema hr",
        "trigger contact contact_insert in schema hr",
        "constraint customer customer_country_vat_key in schema sales",
        "index customer_email_active in schema sales",
    }
    columns = (
        "SELECT attname::text FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    assert ask(postgres, replica, columns.format("sales.customer")) == [
        "customer_no",
        "country",
        "name",
        "email",
        "account_manager",
    ]
    checks = "SELECT conname::text FROM pg_constraint WHERE conrelid = 'hr.employee'::regclass AND contype = 'c'"
    assert ask(postgres, replica, checks) == []
    assert ask(postgres, replica, "SELECT count(*) FROM hr.people") == [4]
    assert set(made.broken.values()) == {0}


def test_a_dropped_key_column_takes_the_keys_that_refer_to_it(make: Callable[..., Made]) -> None:
    made = make(dropped=[("public.product", "sku"), ("public.product", "size")])
    assert "constraint product product_sku_key in schema public" in made.structure.left_out
    assert "fk constraint order_line order_line_sku_fkey in schema sales" in made.structure.left_out
    assert "sales.order_line.order_line_sku_fkey" not in made.broken


def test_a_column_dropped_above_is_dropped_below(postgres: Postgres, make: Callable[..., Made], replica: str) -> None:
    label = [(f"public.{t}", "label") for t in ("asset", "vehicle", "truck")]
    make(dropped=[*label, ("sales.payment", "card")])
    query = "SELECT count(*) FROM pg_attribute WHERE attname IN ('label', 'card') AND attrelid >= 16384"
    assert ask(postgres, replica, query) == [0]
    assert ask(postgres, replica, "SELECT count(*) FROM public.asset") == [5]
    assert ask(postgres, replica, "SELECT count(*) FROM sales.payment_2024_h2") == [21]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"skip": ["public.asset"]}, "public.vehicle cannot be cloned without a table that the policy skips"),
        (
            {"dropped": [("hr.employee", "first_name")]},
            "hr.employee.full_name is computed from first_name, which the policy drops",
        ),
        ({"dropped": [("sales.payment", "paid_at")]}, "sales.payment.paid_at is in the key of its partitions"),
    ],
)
def test_what_cannot_stand_is_an_error_before_anything_is_built(
    postgres: Postgres, make: Callable[..., Made], replica: str, parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(**parts)
    names = ask(postgres, "postgres", f"SELECT datname FROM pg_database WHERE starts_with(datname, '{replica}')")
    assert names == []


def test_an_empty_table_stands_without_rows(postgres: Postgres, make: Callable[..., Made], replica: str) -> None:
    make(empty=["hr.audit", "sales.refund"])
    assert ask(postgres, replica, "SELECT count(*) FROM hr.audit") == [0]
    assert ask(postgres, replica, "SELECT nextval('hr.audit_audit_id_seq')") == [1]


def test_sequences_stand_past_the_keys_of_the_replica(
    postgres: Postgres, make: Callable[..., Made], replica: str
) -> None:
    make()
    queries = {
        "hr.department_dept_id_seq": 5,
        "hr.employee_employee_id_seq": 140,
        "sales.customer_customer_no_seq": 5,
        "sales.payment_payment_id_seq": 61,
        "public.asset_asset_id_seq": 6,
        "public.shared_ids": 1100,
        "public.downwards": -4,
        "public.unused_ids": 77,
    }
    found = {name: ask(postgres, replica, f"SELECT nextval('{name}')")[0] for name in queries}
    assert found == queries
