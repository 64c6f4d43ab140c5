INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) VALUES (?, ?, ?, ?, ?, ?, ?) [0, 1, 2, 3, 3, 4, 5]
SELECT version, expires_at, record FROM s WHERE handle = ? [0]
SELECT version FROM s WHERE handle = ? [0]
SELECT version FROM s WHERE handle = ? AND NOT tombstone [0]
UPDATE s SET version = ?, user_id = ?, expires_at = ?, sweep_at = LEAST(sweep_at, ?), tombstone = ?, record = ? WHERE handle = ? AND version = ? [2, 3, 4, 4, 5, 6, 0, 1]
UPDATE s SET expires_at = ? WHERE handle = ? AND expires_at < ? AND NOT tombstone [1, 0, 1]
DELETE FROM s WHERE handle = ? AND NOT tombstone [0]
INSERT INTO s (handle, version, user_id, expires_at, sweep_at, tombstone, record) SELECT CASE twice.n WHEN 1 THEN ? ELSE ? END, ?, ?, ?, ?, ?, ? FROM s AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice WHERE old.handle = ? AND old.version = ? FOR UPDATE ON DUPLICATE KEY UPDATE version = CASE s.handle WHEN ? THEN ? ELSE s.version + 9223372036854775807 END, user_id = ?, expires_at = ?, sweep_at = LEAST(s.sweep_at, ?), tombstone = ?, record = ? [7, 0, 8, 9, 10, 10, 11, 12, 0, 1, 0, 2, 3, 4, 4, 5, 6]
DELETE s FROM (SELECT handle FROM s WHERE sweep_at <= ? ORDER BY sweep_at LIMIT ? FOR UPDATE SKIP LOCKED) AS due STRAIGHT_JOIN s FORCE INDEX (PRIMARY) ON s.handle = due.handle WHERE expires_at <= ? [0, 1, 0]
UPDATE (SELECT handle FROM s WHERE sweep_at <= ? ORDER BY sweep_at LIMIT ? FOR UPDATE SKIP LOCKED) AS due STRAIGHT_JOIN s FORCE INDEX (PRIMARY) ON s.handle = due.handle SET sweep_at = expires_at WHERE expires_at > ? [0, 1, 0]
SELECT version, expires_at, record, handle FROM s WHERE user_id = ? [0]
DELETE FROM s WHERE user_id = ? AND handle <> ? [0, 1]
SELECT version FROM s WHERE user_id = ? AND handle <> ? LIMIT 1 [0, 1]
SELECT COUNT(*) FROM s WHERE expires_at > ? AND NOT tombstone [0]
SELECT COUNT(*) FROM s WHERE sweep_at <= ? AND expires_at <= ? [0, 0]
SELECT handle, version, user_id, expires_at, sweep_at, tombstone, record FROM s WHERE 1 = 0 []
SELECT version, expires_at, record, handle FROM s WHERE handle > ? ORDER BY handle LIMIT ? [0, 1]
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, s.handle FROM JSON_TABLE(?, '$[*]' COLUMNS (handle CHAR(32) PATH '$')) AS asked STRAIGHT_JOIN s FORCE INDEX (PRIMARY) ON s.handle = CONVERT(asked.handle USING ascii) COLLATE ascii_bin [0]
CREATE TABLE IF NOT EXISTS s (
    handle CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id VARBINARY(255),
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record LONGTEXT NOT NULL,
    INDEX s_user_id (user_id),
    INDEX s_sweep_at (sweep_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4
