-- A shared.db of schema 2 becomes one of schema 3.

CREATE TABLE mail_hosts (
    domain TEXT PRIMARY KEY,
    hosts  TEXT NOT NULL,  -- separated by spaces
    lack   TEXT,
    until  REAL NOT NULL
) STRICT, WITHOUT ROWID;
