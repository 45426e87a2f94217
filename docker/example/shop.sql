-- A small shop with people in it, for the walk-through.
CREATE TABLE customer (
    id integer PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL UNIQUE,
    born date,
    city text
);
CREATE TABLE ticket (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer,
    opened timestamptz NOT NULL,
    body text NOT NULL
);
INSERT INTO customer
SELECT i, (ARRAY['Jana', 'Petr', 'Eva', 'Tomáš', 'Lucie'])[1 + i % 5], (ARRAY['Veselá', 'Novák', 'Malá', 'Zeman'])[1 + i % 4],
       'person' || i || '@mail.example', date '1950-01-01' + i * 37 % 18000, (ARRAY['Brno', 'Praha', 'Olomouc'])[1 + i % 3]
FROM generate_series(1, 500) AS i;
INSERT INTO ticket
SELECT i, 1 + i % 500, timestamptz '2026-01-01 08:00+00' + i * interval '11 minutes',
       'Please call me back, my address is person' || 1 + i % 500 || '@mail.example.'
FROM generate_series(1, 2000) AS i;
