-- A ledger of schema 1 becomes one of schema 2. What it does not know stays unknown until it is next sent from.

ALTER TABLE campaign ADD COLUMN machine TEXT NOT NULL DEFAULT '';
ALTER TABLE campaign ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN revision INTEGER;

ALTER TABLE recipients ADD COLUMN revision INTEGER;

CREATE TABLE listings (
    number      INTEGER PRIMARY KEY,
    list        TEXT NOT NULL,
    digest      TEXT NOT NULL,
    enrolled_at REAL NOT NULL
) STRICT;

CREATE TABLE revisions (
    number        INTEGER PRIMARY KEY,
    digest        TEXT NOT NULL UNIQUE,
    template      TEXT NOT NULL,
    sender        TEXT NOT NULL,
    first_used_at REAL NOT NULL
) STRICT;
