-- name: enrol
-- A recipient that this listing already names stays as it is: no row changes, and the row is a duplicate.
INSERT INTO recipients (key, local, domain, provider, state, listing, line, fields)
VALUES (:key, :local, :domain, :provider, 'pending', :listing, :line, :fields)
ON CONFLICT (key) DO UPDATE
SET provider = excluded.provider, listing = excluded.listing, line = excluded.line, fields = excluded.fields
WHERE recipients.listing <> excluded.listing

-- name: other_row
INSERT INTO other_rows (line, email, status, reason) VALUES (:line, :email, :status, :reason)

-- name: duplicate_row
INSERT INTO other_rows (line, email, status, reason)
SELECT :line, :email, 'duplicate', 'the same address as line ' || line FROM recipients WHERE key = :key

-- name: failed_again
-- Nothing was handed over for these: a better template or list may make their message now.
UPDATE recipients SET state = 'pending', reason = NULL WHERE state = 'failed' AND listing = :listing

-- name: resend_uncertain
UPDATE recipients SET state = 'pending', reason = NULL WHERE state = 'uncertain' AND listing = :listing

-- name: lift
UPDATE recipients SET state = 'pending', reason = NULL
WHERE state = 'suppressed' AND key NOT IN (SELECT key FROM shared.suppressions)

-- name: suppress
UPDATE recipients
SET state = 'suppressed', reason = (SELECT reason FROM shared.suppressions s WHERE s.key = recipients.key)
WHERE state IN ('pending', 'deferred', 'failed') AND key IN (SELECT key FROM shared.suppressions)

-- name: recover_claimed
UPDATE recipients SET state = CASE WHEN attempts > 0 THEN 'deferred' ELSE 'pending' END WHERE state = 'claimed'

-- name: recover_submitting
UPDATE recipients
SET state = 'uncertain', reason = 'handed over, but the run ended before the server''s reply came'
WHERE state = 'submitting'

-- name: claim
UPDATE recipients SET state = 'claimed'
WHERE id IN (
    SELECT id FROM recipients
    WHERE state IN ('pending', 'deferred') AND provider = :provider AND due_at <= :now AND listing = :listing
    ORDER BY due_at, id LIMIT :count
)
RETURNING id, line, local, domain, provider, fields, attempts, first_attempt_at

-- name: suppress_claimed
-- Suppressed while the run was under way: asked again with every claim.
UPDATE recipients
SET state = 'suppressed', reason = (SELECT reason FROM shared.suppressions s WHERE s.key = recipients.key)
WHERE state = 'claimed' AND EXISTS (SELECT 1 FROM shared.suppressions s WHERE s.key = recipients.key)
RETURNING id

-- name: release
UPDATE recipients SET state = CASE WHEN attempts > 0 THEN 'deferred' ELSE 'pending' END
WHERE id = :id AND state = 'claimed'

-- name: fail
UPDATE recipients SET state = 'failed', reason = :reason WHERE id = :id AND state = 'claimed'

-- name: mark
UPDATE recipients
SET state = 'submitting', attempts = attempts + 1, message_id = :message_id, route = :route,
    first_attempt_at = coalesce(first_attempt_at, :now), last_attempt_at = :now
WHERE id = :id AND state = 'claimed'

-- name: record
UPDATE recipients
SET state = :state, code = :code, enhanced_code = :enhanced_code, reply = :reply, reason = :reason, due_at = :due_at
WHERE id = :id AND state = 'submitting'

-- name: unmark
-- The session ended before anything was handed over: the attempt does not count.
UPDATE recipients
SET state = CASE WHEN attempts > 1 THEN 'deferred' ELSE 'pending' END, attempts = attempts - 1
WHERE id = :id AND state = 'submitting'

-- name: work
SELECT provider, count(*), min(due_at) FROM recipients
WHERE state IN ('pending', 'deferred') AND listing = :listing
GROUP BY provider ORDER BY count(*) DESC, provider

-- name: next_due
SELECT min(due_at) FROM recipients
WHERE state IN ('pending', 'deferred') AND provider = :provider AND listing = :listing

-- name: states
SELECT state, count(*) FROM recipients WHERE listing = :listing GROUP BY state
UNION ALL
SELECT status, count(*) FROM other_rows GROUP BY status

-- name: withdrawn
SELECT count(*) FROM recipients WHERE listing <> :listing AND state IN ('pending', 'deferred', 'failed')

-- name: samples
SELECT id, line, local, domain, provider, fields, attempts, first_attempt_at FROM recipients
WHERE state IN ('pending', 'deferred') AND listing = :listing ORDER BY line LIMIT :count

-- name: results
SELECT line, local || '@' || domain, provider, state, attempts, code, enhanced_code, reply, route, message_id,
       first_attempt_at, last_attempt_at, reason
FROM recipients WHERE listing = :listing
UNION ALL
SELECT line, email, NULL, status, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, reason FROM other_rows
ORDER BY 1

-- name: withdrawn_results
SELECT NULL, local || '@' || domain, provider, state, attempts, code, enhanced_code, reply, route, message_id,
       first_attempt_at, last_attempt_at, reason
FROM recipients WHERE listing <> :listing ORDER BY id
