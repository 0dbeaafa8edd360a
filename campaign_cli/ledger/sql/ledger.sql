-- name: enrol
-- A recipient that this listing already names stays as it is: no row changes, and the row is a duplicate.
-- Who was handed a message keeps the fields it was made of: if it is sent again, then with the same bytes.
-- Who has a final result of DNS or a server keeps the group it was reached in.
INSERT INTO recipients (key, local, domain, provider, line, fields, listing, state)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')
ON CONFLICT (key) DO UPDATE
SET provider = CASE WHEN recipients.state IN ('delivered', 'bounced', 'expired')
               THEN recipients.provider ELSE excluded.provider END,
    listing = excluded.listing, line = excluded.line,
    fields = CASE WHEN recipients.state IN ('deferred', 'failed', 'suppressed')
                    OR (recipients.state = 'pending' AND recipients.attempts = 0)
             THEN excluded.fields ELSE recipients.fields END
WHERE recipients.listing <> excluded.listing

-- name: invalid_row
INSERT INTO other_rows (line, email, status, reason) VALUES (?, ?, 'invalid', ?)

-- name: duplicate_row
INSERT INTO other_rows (line, email, status, reason)
SELECT :line, :email, 'duplicate', 'the same address as line ' || line FROM recipients
WHERE key = :key AND line <> :line

-- name: failed_again
-- Nothing was handed over for these: a better template or list may make their message now.
UPDATE recipients SET state = 'pending', reason = NULL WHERE state = 'failed' AND listing = :listing

-- name: resend_uncertain
UPDATE recipients SET state = 'pending', reason = NULL WHERE state = 'uncertain' AND listing = :listing

-- name: owner
SELECT machine, inode, generation, epoch FROM campaign

-- name: epoch
SELECT epoch FROM campaign

-- name: own
UPDATE campaign SET name = ?, machine = ?, inode = ?, generation = ?, epoch = ?

-- name: listing
INSERT INTO listings (number, list, digest, enrolled_at) VALUES (?, ?, ?, ?)

-- name: last_listing
SELECT number, list, digest, enrolled_at FROM listings ORDER BY number DESC LIMIT 1

-- name: uncertain
SELECT count(*) FROM recipients WHERE state = 'uncertain' AND listing = :listing

-- name: all_uncertain
SELECT key, local || '@' || domain, state FROM recipients WHERE state = 'uncertain' ORDER BY line, id

-- name: last_answer
SELECT substr(route, 1, instr(route || char(9), char(9)) - 1), code, enhanced_code, reply
FROM recipients WHERE id = ? AND route IS NOT NULL AND code IS NOT NULL

-- name: standing
SELECT key, local || '@' || domain, state FROM recipients WHERE key = ?

-- name: resolve
UPDATE recipients SET state = ?, reason = ? WHERE key = ? AND state = 'uncertain'

-- name: lift
UPDATE recipients SET state = 'pending', reason = NULL
WHERE state = 'suppressed' AND key NOT IN (SELECT key FROM shared.suppressions)

-- name: suppress
UPDATE recipients
SET state = 'suppressed', reason = (SELECT reason FROM shared.suppressions s WHERE s.key = recipients.key)
WHERE state IN ('pending', 'deferred', 'failed') AND key IN (SELECT key FROM shared.suppressions)

-- name: recover
UPDATE recipients
SET state = 'uncertain', reason = 'handed over, but the run ended before the server''s reply came'
WHERE state = 'submitting'

-- name: claim
-- In the order of the index, from the place of the last one claimed on.
SELECT id, line, local, domain, provider, fields, attempts, first_attempt_at, dated_at, due_at,
       EXISTS (SELECT 1 FROM shared.suppressions s WHERE s.key = recipients.key)
FROM recipients
WHERE state IN ('pending', 'deferred') AND provider = :provider AND (due_at, line) > (:after_due, :after_line)
  AND due_at <= :now AND listing = :listing
ORDER BY due_at, line LIMIT :count

-- name: suppress_one
UPDATE recipients
SET state = 'suppressed', reason = (SELECT reason FROM shared.suppressions s WHERE s.key = recipients.key)
WHERE id = ? AND state IN ('pending', 'deferred')

-- name: fail
UPDATE recipients SET state = 'failed', reason = ? WHERE id = ? AND state IN ('pending', 'deferred')

-- name: postpone
UPDATE recipients SET due_at = ? WHERE id = ? AND state IN ('pending', 'deferred')

-- name: unreachable
UPDATE recipients
SET state = ?, attempts = attempts + ?, code = NULL, reply = NULL, route = NULL, enhanced_code = ?, reason = ?,
    due_at = ?, first_attempt_at = coalesce(first_attempt_at, ?), last_attempt_at = ?
WHERE id = ? AND state IN ('pending', 'deferred')

-- name: mark
UPDATE recipients
SET state = 'submitting', attempts = attempts + 1, message_id = ?, route = ?, dated_at = ?,
    first_attempt_at = coalesce(first_attempt_at, ?), last_attempt_at = ?, revision = (SELECT revision FROM campaign)
WHERE id = ? AND state IN ('pending', 'deferred')

-- name: record
UPDATE recipients SET state = ?, code = ?, enhanced_code = ?, reply = ?, reason = ?, due_at = ?
WHERE id = ? AND state = 'submitting'

-- name: unmark
-- The session ended before anything was handed over: the attempt does not count.
UPDATE recipients
SET state = CASE WHEN attempts > 1 THEN 'deferred' ELSE 'pending' END, attempts = attempts - 1
WHERE id = ? AND state = 'submitting'

-- name: regroup
UPDATE recipients SET provider = :group
WHERE provider = :domain AND state IN ('pending', 'deferred') AND listing = :listing

-- name: bounce_domain
UPDATE recipients SET state = 'bounced', code = NULL, reply = NULL, enhanced_code = :enhanced_code, reason = :reason
WHERE provider = :domain AND state IN ('pending', 'deferred') AND listing = :listing

-- name: defer_domain
-- To ask DNS is to try: from then on its time runs.
UPDATE recipients
SET state = CASE WHEN first_attempt_at < :too_long_ago THEN 'expired' ELSE 'deferred' END,
    code = NULL, reply = NULL, enhanced_code = '4.4.3', reason = :reason, due_at = max(due_at, :due_at),
    first_attempt_at = coalesce(first_attempt_at, :now)
WHERE provider = :domain AND state IN ('pending', 'deferred') AND listing = :listing

-- name: work
SELECT provider, count(*), min(due_at) FROM recipients
WHERE state IN ('pending', 'deferred') AND listing = :listing
GROUP BY provider ORDER BY count(*) DESC, provider

-- name: has_work
SELECT EXISTS (SELECT 1 FROM recipients WHERE state IN ('pending', 'deferred') AND listing = :listing)

-- name: next_due
SELECT min(due_at) FROM recipients
WHERE state IN ('pending', 'deferred') AND provider = :provider AND (due_at, line) > (:after_due, :after_line)
  AND listing = :listing

-- name: states
SELECT state, count(*) FROM recipients WHERE listing = :listing GROUP BY state
UNION ALL
SELECT status, count(*) FROM other_rows GROUP BY status

-- name: withdrawn
SELECT count(*) FROM recipients WHERE listing <> :listing AND state IN ('pending', 'deferred', 'failed')

-- name: samples
SELECT id, line, local, domain, provider, fields, attempts, first_attempt_at, dated_at FROM recipients
WHERE state IN ('pending', 'deferred') AND listing = :listing ORDER BY line LIMIT :count

-- name: left
SELECT key FROM recipients WHERE state IN ('pending', 'deferred') AND listing = :listing

-- name: results
-- What is in flight is uncertain as long as nobody knows better.
SELECT line, local || '@' || domain, provider, replace(state, 'submitting', 'uncertain'), attempts, code, enhanced_code, reply,
       substr(route, 1, instr(route || char(9), char(9)) - 1),
       nullif(substr(route, instr(route || char(9), char(9)) + 1), ''), message_id,
       iif(attempts > 0, revision, NULL), NULL, first_attempt_at, last_attempt_at, reason
FROM recipients WHERE listing = :listing
UNION ALL
SELECT line, email, NULL, status, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, reason FROM other_rows
ORDER BY 1

-- name: withdrawn_results
SELECT NULL, local || '@' || domain, provider, state, attempts, code, enhanced_code, reply,
       substr(route, 1, instr(route || char(9), char(9)) - 1),
       nullif(substr(route, instr(route || char(9), char(9)) + 1), ''), message_id,
       iif(attempts > 0, revision, NULL), NULL, first_attempt_at, last_attempt_at, reason
FROM recipients WHERE listing <> :listing ORDER BY id
