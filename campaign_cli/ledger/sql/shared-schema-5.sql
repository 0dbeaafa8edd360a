-- A shared.db of schema 4 becomes one of schema 5.

CREATE TABLE sts_policies (
    domain     TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    mode       TEXT NOT NULL,
    mx         TEXT NOT NULL,  -- separated by spaces
    max_age    INTEGER NOT NULL,
    fetched_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
