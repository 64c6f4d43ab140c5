INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) VALUES ($1, $2, $3, $4, $4, $5, $6)
SELECT version, expires_at, record FROM s WHERE handle = $1
SELECT version FROM s WHERE handle = $1
SELECT version FROM s WHERE handle = $1 AND NOT tombstone
UPDATE s SET version = $3, user_id = $4, expires_at = $5, sweep_at = MIN(sweep_at, $5), tombstone = $6, record = $7 WHERE handle = $1 AND version = $2
UPDATE s SET expires_at = $2 WHERE handle = $1 AND expires_at < $2 AND NOT tombstone
DELETE FROM s WHERE handle = $1 AND NOT tombstone
INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 FROM s AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice WHERE old.handle = $1 AND old.version = $2 AND NOT EXISTS (SELECT 1 FROM s WHERE handle = $8) ON CONFLICT (handle) DO UPDATE SET version = $3, user_id = $4, expires_at = $5, sweep_at = MIN(sweep_at, $5), tombstone = $6, record = $7
DELETE FROM s WHERE expires_at <= $1 AND handle IN (SELECT handle FROM s WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)
UPDATE s SET sweep_at = expires_at WHERE expires_at > $1 AND handle IN (SELECT handle FROM s WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)
SELECT version, expires_at, record, handle FROM s WHERE user_id = $1
DELETE FROM s WHERE user_id = $1 AND handle <> $2
SELECT version FROM s WHERE user_id = $1 AND handle <> $2 LIMIT 1
SELECT COUNT(*) FROM s WHERE expires_at > $1 AND NOT tombstone
SELECT COUNT(*) FROM s WHERE sweep_at <= $1 AND expires_at <= $1
SELECT handle, version, user_id, expires_at, sweep_at, tombstone, record FROM s WHERE 1 = 0
SELECT version, expires_at, record, handle FROM s WHERE handle > $1 ORDER BY handle LIMIT $2
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, handle FROM s WHERE handle IN (SELECT value FROM json_each($1))
CREATE TABLE IF NOT EXISTS s (
    handle TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    user_id TEXT,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    tombstone INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS s_user_id ON s (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS s_sweep_at ON s (sweep_at);
