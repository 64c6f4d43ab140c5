use sqlx::{
    PgPool, Postgres,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    SqlStore,
    dialect::{Dialect, Syntax, driver},
    failure, lease,
};
use crate::error::Error;

/// Keeps sessions in PostgreSQL (12 or newer): for applications on several machines, or whose database it is already.
///
/// ```no_run
/// use wiz_session::{Key, WizSessionLayer, store::PostgresStore};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let store = PostgresStore::connect("postgres://app@localhost/app").await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// With a pool of your own, and settings close to those of [`connect`](SqlStore::connect):
///
/// ```no_run
/// use wiz_session::store::PostgresStore;
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = PostgresStore::pool_options().max_connections(40).connect("postgres://app@localhost/app").await?;
/// let store = PostgresStore::from_pool(pool).with_table("app_sessions")?;
/// # Ok(()) }
/// ```
///
/// For TLS add `sqlx` to your dependencies with the feature `tls-rustls` or `tls-native-tls`. Run a
/// [`Sweeper`](crate::Sweeper) to delete what has expired. It takes neither a superuser nor an extension.
/// Behind a pooler in transaction mode that does not know prepared statements, set
/// `statement_cache_capacity(0)` in the options of your pool.
///
/// The table and the round trips are described at [`SqlStore`].
pub type PostgresStore = SqlStore<Postgres>;

impl SqlStore<Postgres> {
    /// Connects to the server at this address, with up to ten connections.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address makes no sense, or the server refuses or does not answer within three seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = url.parse().map_err(failure::of)?;
        Ok(Self::from_pool(
            Self::connect_pool(options).await.map_err(failure::of)?,
        ))
    }

    async fn connect_pool(options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
        Self::pool_options().connect_with(options).await
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: it waits three seconds for a connection, and
    /// tests one that was idle for a second.
    #[must_use]
    pub fn pool_options() -> PgPoolOptions {
        lease::pool_options()
    }
}

impl Dialect for Postgres {
    const SYNTAX: Syntax = Syntax {
        numbered: true,
        least: "LEAST",
        regenerate: REGENERATE,
        sweep: SWEEP,
        postpone: POSTPONE,
        schema: SCHEMA,
    };

    const READS_ON: bool = true;

    driver!();

    fn is_victim(error: &dyn DatabaseError) -> bool {
        // Deadlock, and what stricter levels of isolation answer to a conflict.
        error
            .code()
            .is_some_and(|code| code == "40P01" || code == "40001")
    }
}

/// If the new handle is in use the insert fails, and takes the update with it.
const REGENERATE: &str = "\
WITH ended AS ({replace} RETURNING handle) \
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT $8, $9, $10, $11, $11, $12, $13 FROM ended";

/// An array, so that what is due is looked up once and for all.
const SWEEP: &str = "\
DELETE FROM {table} WHERE expires_at <= $1 AND handle = ANY(ARRAY(\
SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

const POSTPONE: &str = "\
UPDATE {table} SET sweep_at = expires_at WHERE expires_at > $1 AND handle = ANY(ARRAY(\
SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Several statements sent as one are one transaction. The lock, whose number means nothing, makes others wait:
/// `IF NOT EXISTS` alone fails for those who create at the same time. The fill factor leaves room for HOT updates.
/// JSON text is no JSONB, which would reorder keys, round numbers and refuse the character NUL.
const SCHEMA: &str = "\
SELECT pg_advisory_xact_lock(7598805623970523);
CREATE TABLE IF NOT EXISTS {table} (
    handle TEXT COLLATE \"C\" PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id TEXT COLLATE \"C\",
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record TEXT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS {table}_user_id ON {table} (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {table}_sweep_at ON {table} (sweep_at);
";
