-- The ledger of one campaign. Times are UTC seconds since the epoch.

CREATE TABLE campaign (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    name        TEXT NOT NULL,
    secret      BLOB NOT NULL,     -- makes Message-IDs unguessable and stable
    created_at  REAL NOT NULL,
    listing     INTEGER NOT NULL,  -- counts the times a list was enrolled; the last is the list as it is now
    list        TEXT NOT NULL,
    template    TEXT NOT NULL
) STRICT;

CREATE TABLE recipients (
    id               INTEGER PRIMARY KEY,
    key              TEXT NOT NULL UNIQUE,
    local            TEXT NOT NULL,
    domain           TEXT NOT NULL,
    provider         TEXT NOT NULL,
    state            TEXT NOT NULL,
    listing          INTEGER NOT NULL,  -- the last listing that names this recipient
    line             INTEGER NOT NULL,
    fields           TEXT NOT NULL,     -- JSON
    attempts         INTEGER NOT NULL DEFAULT 0,
    due_at           REAL NOT NULL DEFAULT 0,
    message_id       TEXT,
    route            TEXT,
    code             INTEGER,
    enhanced_code    TEXT,
    reply            TEXT,
    reason           TEXT,
    dated_at         REAL,              -- what the message's Date header says
    first_attempt_at REAL,
    last_attempt_at  REAL
) STRICT;

CREATE INDEX recipients_due ON recipients (provider, due_at, line, listing) WHERE state IN ('pending', 'deferred');

-- Rows of the list as it is now that stand for no recipient of their own.
CREATE TABLE other_rows (
    line   INTEGER PRIMARY KEY,
    email  TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('invalid', 'duplicate')),
    reason TEXT NOT NULL
) STRICT;
