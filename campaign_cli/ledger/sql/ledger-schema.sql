-- The ledger of one campaign. Times are UTC seconds since the epoch.

CREATE TABLE campaign (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    name        TEXT NOT NULL,
    secret      BLOB NOT NULL,     -- makes Message-IDs unguessable and stable
    created_at  REAL NOT NULL,
    listing     INTEGER NOT NULL,  -- counts the times a list was enrolled; the last is the list as it is now
    list        TEXT NOT NULL,
    template    TEXT NOT NULL,
    machine     TEXT NOT NULL DEFAULT '',     -- where it was last sent from, as a hash
    inode       INTEGER NOT NULL DEFAULT 0,   -- this file's own, and the generation that tells it from the next with it
    generation  INTEGER NOT NULL DEFAULT 0,
    epoch       INTEGER NOT NULL DEFAULT 0,   -- counts the times it was opened for sending
    revision    INTEGER                       -- what is sent now
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
    route            TEXT,              -- its name and, after a tab, what protected the session
    code             INTEGER,
    enhanced_code    TEXT,
    reply            TEXT,
    reason           TEXT,
    dated_at         REAL,              -- what the message's Date header says
    first_attempt_at REAL,
    last_attempt_at  REAL,
    revision         INTEGER            -- what the message of the last transaction was made of
) STRICT;

CREATE INDEX recipients_due ON recipients (provider, due_at, line, listing) WHERE state IN ('pending', 'deferred');

-- Every list that was enrolled, and what its file's bytes hash to.
CREATE TABLE listings (
    number      INTEGER PRIMARY KEY,
    list        TEXT NOT NULL,
    digest      TEXT NOT NULL,
    enrolled_at REAL NOT NULL
) STRICT;

-- Every template and sender that was sent with. The digest is the same where their messages are.
CREATE TABLE revisions (
    number        INTEGER PRIMARY KEY,
    digest        TEXT NOT NULL UNIQUE,
    template      TEXT NOT NULL,
    sender        TEXT NOT NULL,
    first_used_at REAL NOT NULL,
    split         TEXT NOT NULL DEFAULT ''  -- how recipients are shared out among variants, as JSON; '': there are none
) STRICT;

-- Rows of the list as it is now that stand for no recipient of their own.
CREATE TABLE other_rows (
    line   INTEGER PRIMARY KEY,
    email  TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('invalid', 'duplicate')),
    reason TEXT NOT NULL
) STRICT;
