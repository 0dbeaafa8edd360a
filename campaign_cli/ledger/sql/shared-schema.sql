-- What all campaigns of one state folder share.

CREATE TABLE suppressions (
    key      TEXT PRIMARY KEY,
    email    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    added_at REAL NOT NULL  -- UTC seconds since the epoch
) STRICT, WITHOUT ROWID;

-- Transactions charged to a provider's budget; `until` is in seconds on the budget clock.
CREATE TABLE charges (
    provider TEXT NOT NULL,
    until    REAL NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (provider, until)
) STRICT, WITHOUT ROWID;

-- The budget clock as it was last opened: it stands at the boot clock's seconds plus the offset of that boot.
CREATE TABLE clock (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id TEXT NOT NULL,
    offset  REAL NOT NULL,
    boot_at REAL NOT NULL,
    wall_at REAL NOT NULL
) STRICT;

-- How often each campaign's ledger was opened for sending: one that knows of fewer times is an older copy.
CREATE TABLE owners (
    campaign TEXT PRIMARY KEY,
    epoch    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What DNS said of each domain's mail: its MX hosts, or why it has none; believed until `until`, in UTC seconds.
CREATE TABLE mail_hosts (
    domain TEXT PRIMARY KEY,
    hosts  TEXT NOT NULL,  -- separated by spaces
    lack   TEXT,
    until  REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- The days (UTC, YYYY-MM-DD) on which something was sent against a budget that is being warmed up.
CREATE TABLE warmup_days (
    budget TEXT NOT NULL,
    day    TEXT NOT NULL,
    PRIMARY KEY (budget, day)
) STRICT, WITHOUT ROWID;

-- How each provider is held back, in seconds on the budget clock and messages a second (`policy.shaping.Backoff`).
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

-- Refusals that a shaping rule counts, in seconds on the budget clock.
CREATE TABLE displeasures (
    provider TEXT NOT NULL,
    rule     TEXT NOT NULL,
    at       REAL NOT NULL
) STRICT;

-- The MTA-STS policies of domains (RFC 8461), each with the id of its record; they hold for `max_age` seconds.
CREATE TABLE sts_policies (
    domain     TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    mode       TEXT NOT NULL,
    mx         TEXT NOT NULL,  -- separated by spaces
    max_age    INTEGER NOT NULL,
    fetched_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
