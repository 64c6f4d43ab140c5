use std::time::{Duration, Instant};

use sqlx::{
    Sqlite,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{
    SqlStore, advice,
    dialect::{Dialect, Syntax, driver},
    failure, lease,
};
use crate::error::Error;

/// Keeps sessions in a SQLite file: for one machine, when they should survive a restart.
///
/// ```
/// use wiz_session::{Key, WizSessionLayer, store::SqliteStore};
///
/// # #[tokio::main] async fn main() -> Result<(), wiz_session::Error> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("sessions.db");
/// let store = SqliteStore::connect(&format!("sqlite:{}", file.display())).await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// Several processes may use one file, on one machine: not over a network file system. Writes go one after the other,
/// each to the disk before it is answered, so a session that was ended stays ended after a power failure. Run a
/// [`Sweeper`](crate::Sweeper) to delete what has expired.
///
/// The table is described at [`SqlStore`].
pub type SqliteStore = SqlStore<Sqlite>;

impl SqlStore<Sqlite> {
    /// Opens the file at this address, such as `sqlite:sessions.db` or `sqlite:///var/lib/app/sessions.db`, and creates
    /// it if there is none. It is in WAL mode from then on. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address makes no sense, or the file cannot be opened or is no database.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let options: SqliteConnectOptions = url.parse().map_err(failure::of)?;
        if options.get_filename().as_os_str().is_empty() {
            // A database of its own for each connection, to SQLite.
            let error = sqlx::Error::Configuration("the address names no file".into());
            return Err(failure::of(error));
        }
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY_TIMEOUT);
        let since = Instant::now();
        loop {
            match Self::pool_options().connect_with(options.clone()).await {
                // SQLite itself waits for anything but this: others that make the new file a WAL one.
                Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                opened => return opened.map(Self::from_pool).map_err(failure::of),
            }
        }
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: four connections, and it waits three seconds
    /// for one.
    #[must_use]
    pub fn pool_options() -> SqlitePoolOptions {
        lease::pool_options().max_connections(4)
    }
}

/// How long a write waits for those of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(advice::code);
    code.is_some_and(|code| code == "5")
}

impl Dialect for Sqlite {
    const SYNTAX: Syntax = Syntax {
        numbered: true,
        least: "MIN",
        regenerate: REGENERATE,
        sweep: SWEEP,
        postpone: POSTPONE,
        schema: SCHEMA,
    };

    const READS_ON: bool = true;

    driver!();

    /// Writers wait for each other; none is given up.
    fn is_victim(_error: &dyn DatabaseError) -> bool {
        false
    }
}

/// Two rows of the new record, of which the second has the old handle: that one meets the old record, and becomes
/// the update of it.
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
