-- A shared.db of schema 3 becomes one of schema 4.

CREATE TABLE warmup_days (
    budget TEXT NOT NULL,
    day    TEXT NOT NULL,
    PRIMARY KEY (budget, day)
) STRICT, WITHOUT ROWID;
