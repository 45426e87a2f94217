"""Names in MySQL's SQL: what is a name, what it is qualified by, and how a text loses its own database's name."""

from __future__ import annotations

import pytest

from dbmask_connectors._mysql_tokens import chains, columns_in, neutral, tokens, unquote

OBJECTS = {"orders", "line items", "total", "a`b"}


def test_literals_and_comments_hold_no_names() -> None:
    sql = """SELECT a, 'b `c` \\' d', "e", `f g`, 1.5e3, @v, @`w x`, @@sql_mode -- h
    # i
    /* j */ , x'00' FROM t"""
    assert [n for c in chains(sql) for n in c.names] == ["SELECT", "a", "f g", "x", "FROM", "t"]


def test_what_a_version_comment_holds_is_read() -> None:
    assert [t.text for t in tokens("a /*!50100 b */ /*M!100301 c */")] == ["a", "b", "c"]


@pytest.mark.parametrize(("text", "name"), [("`a``b`", "a`b"), ("plain", "plain"), ("``", "")])
def test_unquote(text: str, name: str) -> None:
    assert unquote(text) == name


def test_columns_fold_their_case() -> None:
    assert columns_in("json_valid(`Details`) and 'born' = x", ["born", "details", "X"]) == ("details", "X")


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("select `shop`.`orders`.`id` from `shop`.`orders`", "select `orders`.`id` from `orders`"),
        ("insert into shop.orders values (1)", "insert into orders values (1)"),
        ("select `shop`.`total`(`o`.`x`) from `shop` . `a``b` `o`", "select `total`(`o`.`x`) from `a``b` `o`"),
        # What stands behind a dot and is no object of the database is a column of an alias that is called as it.
        ("select shop.x from other.orders shop", "select shop.x from other.orders shop"),
        ("select 'shop.orders' -- shop.orders", "select 'shop.orders' -- shop.orders"),
        ("select Shop.orders.id, `my shop`.orders.id", "select Shop.orders.id, `my shop`.orders.id"),
        ("default nextval(`shop`.`line items`)", "default nextval(`line items`)"),
    ],
)
def test_a_text_loses_its_own_database(sql: str, made: str) -> None:
    assert neutral(sql, "shop", OBJECTS) == made
