-- A shared.db of schema 4 becomes one of schema 5.

CREATE TABLE backoffs (
    provider    TEXT PRIMARY KEY,
    why         TEXT NOT NULL,
    since       REAL NOT NULL,
    rest        REAL NOT NULL,
    until       REAL NOT NULL,
    rate        REAL NOT NULL,
    ceiling     REAL NOT NULL,
    connections INTEGER NOT NULL,
    more_at     REAL NOT NULL,
    vain        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE displeasures (
    provider TEXT NOT NULL,
    rule     TEXT NOT NULL,
    at       REAL NOT NULL
) STRICT;

CREATE TABLE sts_policies (
    domain     TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    mode       TEXT NOT NULL,
    mx         TEXT NOT NULL,  -- separated by spaces
    max_age    INTEGER NOT NULL,
    fetched_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
