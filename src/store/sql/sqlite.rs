use std::time::{Duration, Instant};

use sqlx::{
    Error, Sqlite, SqlitePool,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{
    advice,
    dialect::{Dialect, driver},
    syntax::Syntax,
};

impl Dialect for Sqlite {
    const SYNTAX: Syntax = Syntax {
        numbered: true,
        least: "MIN",
        regenerate: REGENERATE,
        sweep: SWEEP,
        postpone: POSTPONE,
        schema: SCHEMA,
    };

    const CANCEL_SAFE: bool = true;

    const MAX_CONNECTIONS: u32 = 4;

    async fn connect(options: SqlitePoolOptions, url: &str) -> Result<SqlitePool, Error> {
        let file: SqliteConnectOptions = url.parse()?;
        if file.get_filename().as_os_str().is_empty() {
            // To SQLite, each connection would be a database of its own.
            return Err(Error::Configuration("the address names no file".into()));
        }
        let file = file
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY_TIMEOUT);
        let since = Instant::now();
        loop {
            match options.clone().connect_with(file.clone()).await {
                // The busy timeout does not apply to switching a new file to WAL mode, which locks it.
                Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                opened => return opened,
            }
        }
    }

    driver!();

    /// Writers wait for each other; SQLite rolls none back.
    fn is_retryable(_error: &dyn DatabaseError) -> bool {
        false
    }
}

/// How long a write waits for those of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

fn is_busy(error: &Error) -> bool {
    let code = error.as_database_error().and_then(advice::code);
    code.is_some_and(|code| code == "5")
}

/// Inserts the new record twice: under the new handle, and under the old one, where it conflicts with the old row and
/// becomes an update that leaves the tombstone.
const REGENERATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 \
FROM {table} AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice \
WHERE old.handle = $1 AND old.version = $2 AND NOT EXISTS (SELECT 1 FROM {table} WHERE handle = $8) \
ON CONFLICT (handle) DO UPDATE SET version = $3, user_id = $4, expires_at = $5, sweep_at = MIN(sweep_at, $5), \
tombstone = $6, record = $7";

const SWEEP: &str = "\
DELETE FROM {table} WHERE expires_at <= $1 AND handle IN \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)";

const POSTPONE: &str = "\
UPDATE {table} SET sweep_at = expires_at WHERE expires_at > $1 AND handle IN \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)";

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS {table} (
    handle TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    user_id TEXT,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    tombstone INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS {table}_user_id ON {table} (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {table}_sweep_at ON {table} (sweep_at);
";
