use sqlx::{MySql, error::DatabaseError, mysql::MySqlDatabaseError};

use super::{
    dialect::{Dialect, driver},
    syntax::Syntax,
};

impl Dialect for MySql {
    const SYNTAX: Syntax = Syntax {
        numbered: false,
        least: "LEAST",
        regenerate: REGENERATE,
        sweep: SWEEP,
        postpone: POSTPONE,
        schema: SCHEMA,
    };

    /// sqlx's MySQL driver is not cancel-safe: dropped between a packet's length and its body it loses synchronisation,
    /// and the next query could read another session's record.
    const CANCEL_SAFE: bool = false;

    driver!();

    fn is_duplicate_key(error: &dyn DatabaseError) -> bool {
        [DUPLICATE_ENTRY, OUT_OF_RANGE].contains(&number(error))
    }

    fn is_retryable(error: &dyn DatabaseError) -> bool {
        [DEADLOCK, RECORD_CHANGED].contains(&number(error))
    }
}

fn number(error: &dyn DatabaseError) -> u16 {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number)
}

const RECORD_CHANGED: u16 = 1020;
const DUPLICATE_ENTRY: u16 = 1062;
const DEADLOCK: u16 = 1213;
const OUT_OF_RANGE: u16 = 1690;

/// Inserts the new record twice: under the new handle, and under the old one, where it conflicts with the old row and
/// becomes an update that leaves the tombstone. If the new handle is in use, the first row conflicts too; its update
/// overflows `version`, and [`OUT_OF_RANGE`] fails the whole statement.
const REGENERATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 \
FROM {table} AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice \
WHERE old.handle = $1 AND old.version = $2 FOR UPDATE \
ON DUPLICATE KEY UPDATE \
version = CASE {table}.handle WHEN $1 THEN $3 ELSE {table}.version + 9223372036854775807 END, \
user_id = $4, expires_at = $5, sweep_at = LEAST({table}.sweep_at, $5), tombstone = $6, record = $7";

/// A join, as MariaDB would run a subquery again for every row. `STRAIGHT_JOIN` begins with the due rows, as a scan of
/// the table would wait for every row that is locked.
const SWEEP: &str = "\
DELETE {table} FROM \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle WHERE expires_at <= $1";

const POSTPONE: &str = "\
UPDATE \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle SET sweep_at = expires_at WHERE expires_at > $1";

/// `user_id` is binary: no collation that MySQL and MariaDB share tells `alice` from `alice ` with a trailing space.
const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS {table} (
    handle CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id VARBINARY(255),
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record LONGTEXT NOT NULL,
    INDEX {table}_user_id (user_id),
    INDEX {table}_sweep_at (sweep_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4
";
