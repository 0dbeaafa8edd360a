-- A shared.db of schema 1 becomes one of schema 2.

CREATE TABLE owners (
    campaign TEXT PRIMARY KEY,
    epoch    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
