-- name: all
SELECT number, digest, template, sender, first_used_at, split FROM revisions ORDER BY number

-- name: current
SELECT number, digest, revisions.template, sender, first_used_at, split FROM revisions JOIN campaign ON revision = number

-- name: sent_to
-- An attempt that came to nothing was taken back.
SELECT revision, count(*) FROM recipients WHERE attempts > 0 AND revision IS NOT NULL GROUP BY revision

-- name: handed_over
SELECT count(*) FROM recipients JOIN revisions ON revision = number
WHERE listing = :listing AND digest <> :digest
  AND ((state = 'pending' AND attempts > 0) OR (state = 'uncertain' AND :resend_uncertain))

-- name: add
INSERT INTO revisions (digest, template, sender, split, first_used_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING

-- name: use
UPDATE campaign SET revision = (SELECT number FROM revisions WHERE digest = ?)
