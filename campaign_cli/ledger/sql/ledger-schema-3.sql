-- A ledger of schema 2 becomes one of schema 3. What was sent before there were variants had none.

ALTER TABLE revisions ADD COLUMN split TEXT NOT NULL DEFAULT '';
