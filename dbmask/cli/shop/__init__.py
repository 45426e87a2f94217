"""The demo's shop: a small database that tells, made anew each time, always the same."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

__all__ = ["POLICY", "make_shop"]

POLICY = Path(__file__).with_name("policy.yaml")

_SCHEMA = """
CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  language TEXT NOT NULL CHECK (language IN ('en', 'cs', 'fr')),
  first_name VARCHAR(40) NOT NULL,
  last_name VARCHAR(40) NOT NULL,
  email VARCHAR(80) NOT NULL UNIQUE,
  phone VARCHAR(24),
  card VARCHAR(19),
  born DATE,
  street VARCHAR(64),
  city VARCHAR(40),
  note TEXT
);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price DECIMAL(8,2) NOT NULL);
CREATE TABLE "order" (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  ordered_at TIMESTAMP NOT NULL
);
CREATE TABLE order_item (
  order_id INTEGER NOT NULL REFERENCES "order" (id),
  product_id INTEGER NOT NULL REFERENCES product (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;
CREATE INDEX order_by_customer ON "order" (customer_id);
CREATE VIEW turnover AS
  SELECT o.customer_id, sum(i.quantity * p.price) AS total
  FROM "order" AS o JOIN order_item AS i ON i.order_id = o.id JOIN product AS p ON p.id = i.product_id
  GROUP BY o.customer_id;
"""

_PEOPLE = {
    "en": (
        ["Alice", "Oliver", "Emma", "George", "Grace", "Henry", "Lucy", "Thomas", "Sophie", "Jack"],
        ["Johnson", "O'Brien", "Clarke", "Wright", "Turner", "Bennett", "Foster", "Hughes", "Palmer", "Reid"],
        ["12 Mill Lane", "4 Station Road", "77 King Street"],
        ["Leeds", "Bristol", "York"],
        "+44 20 7946 {:04d}",
    ),
    "cs": (
        ["Jana", "Petr", "Tereza", "Jakub", "Eva", "Tomáš", "Lucie", "Ondřej", "Alžběta", "Jiří"],
        ["Nováková", "Novák", "Dvořáková", "Svoboda", "Černá", "Procházka", "Kučerová", "Veselý", "Horáková", "Němec"],
        ["Na Příkopě 12", "Husova 3", "Květná 8"],
        ["Praha", "Brno", "Plzeň"],
        "+420 601 {:03d} 217",
    ),
    "fr": (
        ["Camille", "Louis", "Zoé", "Hugo", "Inès", "Gabriel", "Chloé", "Jules", "Léa", "Arthur"],
        ["Lefèvre", "Moreau", "Girard", "Dupont", "Fournier", "Rousseau", "Blanc", "Guérin", "Faure", "Mercier"],
        ["5 rue de la Paix", "18 quai Saint-Michel", "2 place du Marché"],
        ["Lyon", "Nantes", "Lille"],
        "+33 1 99 00 {:02d} 44",
    ),
}
_PRODUCTS = [("Teapot", "24.90"), ("Kettle", "39.00"), ("Two cups", "12.50"), ("Green tea", "6.20"), ("Honey", "8.80")]
_NOTES = [
    "{first} {last} called: please ring twice.",
    "Leave it with the neighbour. Regards, {first}",
    "Gift for {first} {last}, no invoice in the parcel.",
    None,
    "Second delivery attempt agreed with {first} by e-mail ({email}).",
]


def _ascii(text: str) -> str:
    table = str.maketrans("áčďéěíňóřšťúůýžèêàçôî", "acdeeinorstuuyzeeacoi")
    return text.lower().translate(table).replace("'", "")


def _card(number: int) -> str:
    """A card number that checks: 15 digits and their Luhn digit, in groups of four."""
    body = f"4{number:014d}"
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(map(int, body)))
    digits = body + str(-total % 10)
    return " ".join(digits[i : i + 4] for i in range(0, 16, 4))


def make_shop(path: Path, customers: int = 60, orders: int = 200) -> None:
    """Make the shop at ``path`` anew. Raises OSError and sqlite3.Error where the file cannot be written."""
    draw = random.Random(7)  # noqa: S311 - a demo's data, the same each time
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(_SCHEMA)
        for number in range(1, customers + 1):
            language = ("en", "cs", "fr")[number % 3]
            firsts, lasts, streets, cities, phone = _PEOPLE[language]
            at = draw.randrange(len(firsts))
            first = firsts[at]
            # Czech surnames agree with the first name's gender: both lists alternate.
            last = lasts[(at + 2 * draw.randrange(5)) % 10]
            email = f"{_ascii(first)}.{_ascii(last)}{number}@mail.example"
            row = (
                number,
                language,
                first,
                last,
                email,
                phone.format(draw.randrange(100)),
                _card(draw.randrange(10**14)),
            )
            born = date(1950, 1, 1) + timedelta(days=draw.randrange(20_000))
            note = draw.choice(_NOTES)
            text = note.format(first=first, last=last, email=email) if note else None
            rest = (born.isoformat(), draw.choice(streets), draw.choice(cities), text)
            db.execute("INSERT INTO customer VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*row, *rest))
        db.executemany("INSERT INTO product (name, price) VALUES (?,?)", _PRODUCTS)
        for number in range(1, orders + 1):
            when = f"2026-{draw.randrange(1, 11):02d}-{draw.randrange(1, 29):02d} {draw.randrange(8, 20):02d}:{draw.randrange(60):02d}:00"
            db.execute('INSERT INTO "order" VALUES (?,?,?)', (number, draw.randrange(customers) + 1, when))
            for product in draw.sample(range(1, 6), draw.randrange(1, 4)):
                db.execute("INSERT INTO order_item VALUES (?,?,?)", (number, product, draw.randrange(1, 5)))
