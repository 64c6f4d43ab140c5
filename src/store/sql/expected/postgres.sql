INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) VALUES ($1, $2, $3, $4, $4, $5, $6)
SELECT version, expires_at, record, handle FROM s WHERE handle = ANY($1)
SELECT version FROM s WHERE handle = $1
SELECT version FROM s WHERE handle = $1 AND NOT tombstone
UPDATE s SET version = $3, user_id = $4, expires_at = $5, sweep_at = LEAST(sweep_at, $5), tombstone = $6, record = $7 WHERE handle = $1 AND version = $2 AND set_config('lock_timeout', '50', true) IS NOT NULL
UPDATE s AS t SET version = w.version, user_id = w.user_id, expires_at = w.expires_at, sweep_at = LEAST(t.sweep_at, w.expires_at), tombstone = w.tombstone, record = w.record FROM unnest($1, $2, $3, $4, $5, $6, $7) AS w (handle, expected, version, user_id, expires_at, tombstone, record) WHERE t.handle = w.handle AND t.version = w.expected AND set_config('lock_timeout', '50', true) IS NOT NULL RETURNING t.handle
UPDATE s SET expires_at = $2 WHERE handle = $1 AND expires_at < $2 AND NOT tombstone AND set_config('lock_timeout', '50', true) IS NOT NULL
WITH ended AS (DELETE FROM s WHERE handle = $1 AND NOT tombstone AND set_config('lock_timeout', '50', true) IS NOT NULL RETURNING handle) SELECT pg_notify('s', 'logged_out ' || handle) FROM ended
WITH ended AS (UPDATE s SET version = $3, user_id = $4, expires_at = $5, sweep_at = LEAST(sweep_at, $5), tombstone = $6, record = $7 WHERE handle = $1 AND version = $2 AND set_config('lock_timeout', '50', true) IS NOT NULL RETURNING handle), told AS (SELECT pg_notify('s', 'moved ' || handle) FROM ended) INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) SELECT $8, $9, $10, $11, $11, $12, $13 FROM told
DELETE FROM s WHERE expires_at <= $1 AND handle = ANY(ARRAY(SELECT handle FROM s WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))
UPDATE s SET sweep_at = expires_at WHERE expires_at > $1 AND handle = ANY(ARRAY(SELECT handle FROM s WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))
SELECT version, expires_at, record, handle FROM s WHERE user_id = $1
WITH ended AS (DELETE FROM s WHERE user_id = $1 AND handle <> $2 AND set_config('lock_timeout', '50', true) IS NOT NULL RETURNING handle) SELECT pg_notify('s', 'revoked ' || handle) FROM ended
SELECT version FROM s WHERE user_id = $1 AND handle <> $2 LIMIT 1
SELECT COUNT(*) FROM s WHERE expires_at > $1 AND NOT tombstone
SELECT COUNT(*) FROM s WHERE sweep_at <= $1 AND expires_at <= $1
SELECT handle, version, user_id, expires_at, sweep_at, tombstone, record FROM s WHERE 1 = 0
SELECT version, expires_at, record, handle FROM s WHERE handle > $1 ORDER BY handle LIMIT $2
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, handle FROM s WHERE handle IN (SELECT json_array_elements_text($1::json))
SELECT pg_advisory_xact_lock(7598805623970523);
CREATE TABLE IF NOT EXISTS s (
    handle TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id TEXT COLLATE "C",
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record TEXT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS s_user_id ON s (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS s_sweep_at ON s (sweep_at);
