"""PostgreSQL's catalog as a Schema: every field of the model, on a database that has one of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dbmask.schema import ColumnType, ForeignKey, Kind, Schema, Table, TableKind, TableName, Unique
from dbmask_connectors.postgresql import CONNECTOR
from tests.fix_postgres import Postgres


@pytest.fixture(scope="module")
def schema(postgres: Postgres, loaded: Callable[[str], str]) -> Iterator[Schema]:
    with closing(CONNECTOR.source(postgres.url(loaded("hard")))) as source:
        yield source.schema()


def table(schema: Schema, name: str) -> Table:
    return schema.tables[TableName.parse(name)]


def type_of(schema: Schema, name: str, column: str) -> ColumnType:
    found = table(schema, name).column(column)
    assert found is not None
    return found.type


def test_the_database(schema: Schema) -> None:
    assert (schema.dialect, schema.default_schema) == ("postgres", "public")
    assert schema.version
    assert schema.left_out == ()


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("hr.department", "code", ColumnType(Kind.TEXT, "character(6)", length=6, padded=True)),
        ("hr.department", "name", ColumnType(Kind.TEXT, "character varying(60)", length=60)),
        ("hr.employee", "email", ColumnType(Kind.TEXT, "citext", folded=True)),
        ("hr.employee", "salary", ColumnType(Kind.DECIMAL, "numeric(12,2)", precision=12, scale=2)),
        ("hr.employee", "bonus", ColumnType(Kind.DECIMAL, "percent", precision=5, scale=2, domain="percent")),
        ("hr.employee", "feeling", ColumnType(Kind.ENUM, "hr.mood", values=("happy", "so so", 'it\'s "fine"'))),
        ("hr.employee", "skills", ColumnType(Kind.ARRAY, "text[]", element=ColumnType(Kind.TEXT, "text"))),
        ("hr.employee", "hired", ColumnType(Kind.TIMESTAMPTZ, "timestamp with time zone")),
        ("sales.customer", "name", ColumnType(Kind.TEXT, "text", folded=True)),
        ("sales.customer", "email", ColumnType(Kind.TEXT, "required_email", domain="required_email")),
        ("public.product", "price", ColumnType(Kind.DECIMAL, "numeric")),
        ("public.product", "size", ColumnType(Kind.OTHER, "dimensions")),
        ("public.product", "attrs", ColumnType(Kind.JSON, "json")),
        ("public.extremes", "si", ColumnType(Kind.INTEGER, "smallint", bits=16)),
        ("public.extremes", "bi", ColumnType(Kind.INTEGER, "bigint", bits=64)),
        ("public.extremes", "r", ColumnType(Kind.FLOAT, "real", bits=32)),
        ("public.extremes", "nm", ColumnType(Kind.TEXT, "name", length=63)),
        ("public.extremes", "ch", ColumnType(Kind.OTHER, '"char"')),
        ("public.extremes", "by", ColumnType(Kind.BYTES, "bytea")),
        ("public.extremes", "tm", ColumnType(Kind.TIME, "time without time zone")),
        ("public.extremes", "ts0", ColumnType(Kind.TIMESTAMP, "timestamp(0) without time zone")),
        ("public.extremes", "u", ColumnType(Kind.UUID, "uuid")),
        ("public.extremes", "n_int", ColumnType(Kind.DECIMAL, "numeric(5,0)", precision=5, scale=0)),
        (
            "public.extremes",
            "ia",
            ColumnType(Kind.ARRAY, "integer[]", element=ColumnType(Kind.INTEGER, "integer", bits=32)),
        ),
    ],
)
def test_types(schema: Schema, name: str, column: str, expected: ColumnType) -> None:
    assert type_of(schema, name, column) == expected


def test_columns(schema: Schema) -> None:
    employee = table(schema, "hr.employee")
    full_name = employee.column("full_name")
    assert full_name is not None and full_name.generated is not None
    assert full_name.generated_from == ("first_name", "last_name")
    assert full_name.default is None
    identities = {c.name: c.identity for c in employee.columns if c.identity}
    assert identities == {"employee_id": "by default"}
    department = table(schema, "hr.department").column("dept_id")
    assert department is not None and department.identity == "always"
    salary, bonus, email = (employee.column(n) for n in ("salary", "bonus", "email"))
    assert salary is not None and salary.default == "1000.00" and salary.nullable
    assert bonus is not None and bonus.default == "0"  # the domain's
    assert email is not None and email.comment == "Compared without regard to case; it's unique" and not email.nullable
    required = table(schema, "sales.customer").column("email")
    assert required is not None and not required.nullable  # by its domain
    assert employee.comment == "People who work here"
    odd = table(schema, '"Odd.Schema ""x"""."we ird.""table"')
    assert [c.name for c in odd.columns] == ["sel ect", "a.b", 'quo"te', "Ünï%s", "CamelCase", "order"]


def test_keys(schema: Schema) -> None:
    customer = table(schema, "sales.customer")
    assert set(customer.uniques) == {
        Unique("customer_pkey", ("customer_no",), primary=True),
        Unique("customer_country_vat_key", ("country", "vat")),
        Unique("customer_email_active", ("email",), partial=True),
    }
    assert {(i.name, i.columns, i.unique) for i in customer.indexes} == {
        ("customer_email_active", ("email",), True),
        ("customer_lower_name", (), True),
        ("customer_country", ("country",), False),
    }
    assert table(schema, "public.empty_one").uniques == (Unique("empty_one_v_key", ("v",), nulls_distinct=False),)
    line = table(schema, "sales.order_line")
    assert line.primary_key == ("customer_no", "order_no", "line_no")
    order, product = TableName("sales", "order"), TableName("public", "product")
    assert set(line.foreign_keys) == {
        ForeignKey("line_of_order", ("customer_no", "order_no"), order, ("customer_no", "order_no")),
        ForeignKey("order_line_sku_fkey", ("sku",), product, ("sku",)),
    }
    (head,) = (k for k in table(schema, "hr.department").foreign_keys if k.columns == ("head_id",))
    assert head.deferrable
    assert head.ref_table == TableName("hr", "employee")


def test_partitions_and_inheritance(schema: Schema) -> None:
    root, half, part = (table(schema, f"sales.payment{s}") for s in ("", "_2024_h2", "_2024_h2_big"))
    assert (root.kind, root.partition_key, root.parents) == (TableKind.PARTITIONED, ("paid_at",), ())
    assert (half.kind, half.partition_key, half.parents) == (TableKind.PARTITION, ("customer_no",), (root.name,))
    assert (part.kind, part.parents) == (TableKind.PARTITION, (half.name,))
    assert root.rows == 60
    assert (root.bytes or 0) >= 3 * 8192
    assert any(c.name == "partition" and "2024-07-01" in c.sql for c in part.checks)
    asset, vehicle, truck = (table(schema, f"public.{n}") for n in ("asset", "vehicle", "truck"))
    assert (asset.kind, asset.inherited) == (TableKind.TABLE, True)
    assert (vehicle.kind, vehicle.parents, vehicle.inherited) == (TableKind.CHILD, (asset.name,), True)
    assert (truck.kind, truck.parents, truck.inherited) == (TableKind.CHILD, (vehicle.name,), False)
    assert (asset.rows, truck.rows) == (2, 1)


def test_checks_triggers_security(schema: Schema) -> None:
    checks = {c.name: c.columns for c in table(schema, "hr.employee").checks}
    assert checks["pay_or_bonus"] == ("salary", "bonus")
    assert checks["employee_birth_check"] == ("birth",)
    assert checks["percent_check"] == ("bonus",)
    assert [c.columns for c in table(schema, "public.booking").checks if c.name.endswith("_excl")] == [("during",)]
    (trigger,) = table(schema, "public.product").triggers
    assert (trigger.name, trigger.timing, trigger.function) == (
        "product_search_fill",
        "before insert",
        "tsvector_update_trigger",
    )
    assert [t.row_security for t in schema.tables.values() if t.row_security] == [True]
    assert table(schema, "public.secret_note").row_security


def test_views(schema: Schema) -> None:
    views = {str(v.name): v for v in schema.views}
    assert views["sales.customer_total"].reads == (TableName("sales", "customer"), TableName("sales", "order_total"))
    assert "GROUP BY" in views["sales.order_total"].definition
    materialized = {"sales.z_first", "sales.a_second", "hr.people", "public.a_key_count"}
    assert {n for n, v in views.items() if v.materialized} == materialized
    assert not {v.name for v in schema.views} & set(schema.tables)


def test_sequences(schema: Schema) -> None:
    found = {str(s.name): s for s in schema.sequences}
    assert found["hr.employee_employee_id_seq"].owner == (TableName("hr", "employee"), "employee_id")
    assert (found["hr.employee_employee_id_seq"].increment, found["hr.employee_employee_id_seq"].last_value) == (
        10,
        130,
    )
    assert (found["public.downwards"].owner, found["public.downwards"].increment) == (None, -1)
    assert (found["public.unused_ids"].last_value, found["public.shared_ids"].last_value) == (None, 1095)


def test_a_table_that_was_never_analysed_is_estimated_by_its_size(postgres: Postgres, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(
        name, "CREATE TABLE t AS SELECT i, repeat('x', 80) FROM generate_series(1, 5000) i; CREATE TABLE e ()"
    )
    with closing(CONNECTOR.source(postgres_db)) as source:
        tables = source.schema().tables
    assert 2000 < (tables[TableName("public", "t")].rows or 0) < 12000
    assert tables[TableName("public", "e")].rows == 0


def test_introspection_asks_as_often_for_many_tables_as_for_one(postgres: Postgres, postgres_db: str) -> None:
    def statements() -> int:
        with closing(CONNECTOR.source(postgres_db)) as source:
            before = postgres.log.stat().st_size
            source.schema()
            return postgres.log.read_bytes()[before:].count(b"LOG:  statement:") + postgres.log.read_bytes()[
                before:
            ].count(b"LOG:  execute")

    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, f"ALTER DATABASE {name} SET log_statement = 'all'; CREATE TABLE t (i int PRIMARY KEY)")
    one = statements()
    postgres.psql(name, "".join(f"CREATE TABLE t{i} (i int PRIMARY KEY REFERENCES t, s text);" for i in range(50)))
    assert statements() == one > 0
