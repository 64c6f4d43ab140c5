// Over 250 lines: the methods of the store contract over one body of statements.

use std::{fmt, sync::Arc, time::SystemTime};

use sqlx::{Database, Pool, pool::PoolOptions};

use super::{
    dialect::Dialect,
    failure, lease,
    row::{self, Row},
    statements::{Statement, Statements, check_table},
    value::Value,
};
use crate::{
    error::{ConfigError, Error},
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, Page, Replaced, SessionStore},
};

/// Keeps sessions in a table of a SQL database: the common part of `SqliteStore`, `PostgresStore` and `MySqlStore`.
///
/// Clones share the connection pool.
///
/// # The table
///
/// `wiz_sessions`, unless [named otherwise](Self::with_table), with one row per session:
///
/// | column | |
/// |---|---|
/// | `handle` | the session's [`Handle`], 32 hexadecimal digits as in the logs; it opens no session |
/// | `version` | counts the changes |
/// | `user_id` | the user who is logged in; a digest if the name is longer than 255 bytes, contains NUL or looks like a digest |
/// | `expires_at` | milliseconds since 1970 |
/// | `sweep_at` | when the [sweeper](crate::Sweeper) has to look at it: never later than `expires_at` |
/// | `tombstone` | whether the row only marks an old id |
/// | `record` | the data, as readable JSON |
///
/// `sweep_at` exists because an index on `expires_at` would change with every request that keeps a session alive.
/// A touch does not change `sweep_at`, and so no index (in PostgreSQL it is a *HOT* update). When `sweep_at` has passed,
/// the sweeper deletes the session if it has expired, and otherwise moves `sweep_at` to the new expiry.
///
/// # Round trips
///
/// One per method of [`SessionStore`]: a request that reads its session takes one, one that changes it two, a new
/// session one, a new id two. A conflict, and a touch that would not extend the expiry, take one more to find out whether
/// the session still exists. The first use of a statement on a connection takes one more to prepare it.
///
/// # Cancel safety
///
/// Each method is one statement, atomic by itself: dropping its future leaves no transaction open, and the statement has
/// either taken effect or not. [`delete_expired`](SessionStore::delete_expired) and
/// [`delete_user`](SessionStore::delete_user) may send several, and stop between two of them.
pub struct SqlStore<DB: Database> {
    pool: Pool<DB>,
    statements: Arc<Statements>,
}

/// Keeps sessions in a SQLite file: for a single machine, when sessions should survive a restart.
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
/// [`connect`](SqlStore::connect) takes an address such as `sqlite:sessions.db` or `sqlite:///var/lib/app/sessions.db`,
/// creates the file if there is none, and switches it to WAL mode. It opens up to four connections.
///
/// Any number of processes on one machine may share the file, but not over a network file system. Writes are serialised
/// and reach the disk before they are answered, so a session that was ended stays ended after a power failure. Run a
/// [`Sweeper`](crate::Sweeper) to delete expired sessions.
///
/// The table is described at [`SqlStore`].
#[cfg(feature = "sqlite")]
pub type SqliteStore = SqlStore<sqlx::Sqlite>;

/// Keeps sessions in PostgreSQL (12 or newer): for applications on several machines, or that already use it.
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
/// With a pool of your own, and settings close to those of [`connect`](SqlStore::connect), which opens up to ten
/// connections:
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
/// [`Sweeper`](crate::Sweeper) to delete expired sessions. Neither a superuser nor an extension is needed.
/// Behind a pooler in transaction mode that does not support prepared statements, set
/// `statement_cache_capacity(0)` in the options of your pool.
///
/// The table and the round trips are described at [`SqlStore`].
#[cfg(feature = "postgres")]
pub type PostgresStore = SqlStore<sqlx::Postgres>;

/// Keeps sessions in MariaDB (10.6 or newer) or MySQL (8.0 or newer): for applications on several machines, or that
/// already use it.
///
/// ```no_run
/// use wiz_session::{Key, WizSessionLayer, store::MySqlStore};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let store = MySqlStore::connect("mysql://app@localhost/app").await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// [`connect`](SqlStore::connect) opens up to ten connections. For TLS add `sqlx` to your dependencies with the feature
/// `tls-rustls` or `tls-native-tls`. Run a [`Sweeper`](crate::Sweeper) to delete expired sessions. The server's
/// `max_allowed_packet` limits a session's size if it is smaller than the layer's `max_bytes`.
///
/// The table and the round trips are described at [`SqlStore`]. sqlx adds a ping, after the answer, to every use of a
/// connection. Its MySQL driver is not cancel-safe: if a client disconnects while a statement is in flight, the
/// connection is closed, and the pool opens another when it needs one.
#[cfg(feature = "mysql")]
pub type MySqlStore = SqlStore<sqlx::MySql>;

const TABLE: &str = "wiz_sessions";

/// How often a statement that the engine rolled back because of a concurrent one is sent at most.
const MAX_ATTEMPTS: usize = 10;

#[expect(private_bounds, reason = "only the three engines implement it")]
impl<DB: Dialect> SqlStore<DB> {
    /// Opens a connection pool with the settings of [`pool_options`](Self::pool_options).
    ///
    /// The address is `sqlite:file`, `postgres://user@host/database` or `mysql://user@host/database`. A SQLite file is
    /// created if there is none; any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address is invalid, the file cannot be opened or is no database, or the server refuses
    /// or does not answer within three seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let pool = DB::connect(Self::pool_options(), url).await;
        pool.map(Self::from_pool).map_err(failure::into_error)
    }

    /// Uses an existing pool, which the rest of the application may share. For the table see
    /// [`migrate`](Self::migrate).
    ///
    /// The pool decides how long to wait for a connection, and whether to ping it before use, which costs every
    /// statement another round trip. sqlx's defaults are 30 seconds and a ping. The settings of the store's own pools
    /// are [`pool_options`](Self::pool_options).
    #[must_use]
    pub fn from_pool(pool: Pool<DB>) -> Self {
        Self {
            pool,
            statements: Arc::new(Statements::new(&DB::SYNTAX, TABLE)),
        }
    }

    /// Keeps the sessions in another table, for applications that share a database. Defaults to `wiz_sessions`.
    ///
    /// # Errors
    /// If the name has characters other than lower-case letters, digits and `_`, starts with a digit, or is empty or
    /// longer than 48 characters.
    pub fn with_table(self, name: &str) -> Result<Self, ConfigError> {
        check_table(name)?;
        Ok(Self {
            statements: Arc::new(Statements::new(&DB::SYNTAX, name)),
            ..self
        })
    }

    /// Creates the table and its indexes if they do not exist. Any number of processes may do so at once.
    ///
    /// The database user needs permission to create tables. If the application's has none, let an administrator run
    /// the [`schema`](Self::schema).
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn migrate(&self) -> Result<(), Error> {
        DB::run_script(&self.pool, &self.statements.schema)
            .await
            .map_err(failure::into_error)
    }

    /// The SQL that [`migrate`](Self::migrate) runs.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.statements.schema
    }

    /// The number of rows that [`delete_expired`](SessionStore::delete_expired) would delete at `now`. It uses an index,
    /// and is cheap as long as a sweeper runs.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # #[cfg(feature = "sqlite")]
    /// # async fn f(store: wiz_session::SqliteStore) -> Result<(), wiz_session::Error> {
    /// if store.count_expired(SystemTime::now()).await? > 1_000_000 {
    ///     eprintln!("is a sweeper running?");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn count_expired(&self, now: SystemTime) -> Result<u64, Error> {
        self.number(&self.statements.count_expired, &[row::millis(now).into()])
            .await
    }

    /// The connection pool.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: up to ten connections (four to a SQLite file),
    /// three seconds to wait for one, and a ping before use if it was idle for a second.
    #[must_use]
    pub fn pool_options() -> PoolOptions<DB> {
        lease::pool_options().max_connections(DB::MAX_CONNECTIONS)
    }

    /// Runs a statement, again if the engine rolled it back because of a concurrent one.
    async fn execute(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        let mut attempts = 1;
        loop {
            match DB::execute(&self.pool, statement, values).await {
                Err(sqlx::Error::Database(error))
                    if attempts < MAX_ATTEMPTS && DB::is_retryable(&*error) =>
                {
                    attempts += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Runs a statement that inserts. `None` if the handle is in use.
    async fn insert(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Option<u64>, Error> {
        match self.execute(statement, values).await {
            Err(sqlx::Error::Database(error)) if DB::is_duplicate_key(&*error) => Ok(None),
            answer => answer.map(Some).map_err(failure::into_error),
        }
    }

    /// Runs a query, on another connection if the pool's turns out to be dead: after a restart of the server each of
    /// them may be. A write is not repeated, as it may have taken effect before its connection died.
    async fn fetch(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<DB::Row>, Error> {
        let mut connections = self.pool.options().get_max_connections();
        let mut attempts = 1;
        loop {
            match DB::fetch(&self.pool, statement, values).await {
                Err(error) if connections > 0 && failure::is_connection_error(&error) => {
                    connections -= 1;
                }
                Err(sqlx::Error::Database(error))
                    if attempts < MAX_ATTEMPTS && DB::is_retryable(&*error) =>
                {
                    attempts += 1;
                }
                answer => return answer.map_err(failure::into_error),
            }
        }
    }

    async fn exists(&self, statement: &Statement, values: &[Value<'_>]) -> Result<bool, Error> {
        Ok(!self.fetch(statement, values).await?.is_empty())
    }

    /// Runs a query that counts.
    async fn number(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64, Error> {
        let rows = self.fetch(statement, values).await?;
        let number = rows
            .first()
            .map_or(Ok(0), |row| DB::number(row, 0))
            .map_err(failure::into_error)?;
        Ok(number.max(0).cast_unsigned())
    }

    /// Why no row had the expected version: it has another one, or there is no row.
    async fn why_not_replaced(&self, handle: &str) -> Result<Replaced, Error> {
        let there = self
            .exists(&self.statements.version, &[handle.into()])
            .await?;
        Ok(if there {
            Replaced::Conflict
        } else {
            Replaced::Gone
        })
    }
}

impl<DB: Dialect> SessionStore for SqlStore<DB> {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let (handle, row) = (handle.to_string(), Row::new(record, record.version()));
        let [version, user_id, expires_at, tombstone, record] = row.values();
        let values = [
            (&*handle).into(),
            version,
            user_id,
            expires_at,
            tombstone,
            record,
        ];
        match self.insert(&self.statements.create, &values).await? {
            Some(_) => Ok(Created::Created),
            None => Ok(Created::Exists),
        }
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let rows = self
            .fetch(&self.statements.load, &[(&*handle.to_string()).into()])
            .await?;
        rows.first().map(row::record::<DB>).transpose()
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let (handle, row) = (handle.to_string(), Row::new(record, expected.next()));
        let [version, user_id, expires_at, tombstone, record] = row.values();
        let known = [(&*handle).into(), row::number(expected).into()];
        let values = [
            known[0], known[1], version, user_id, expires_at, tombstone, record,
        ];
        match self
            .execute(&self.statements.replace, &values)
            .await
            .map_err(failure::into_error)?
        {
            0 => self.why_not_replaced(&handle).await,
            _ => Ok(Replaced::Stored(expected.next())),
        }
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let handle = handle.to_string();
        let values = [(&*handle).into(), row::millis(expires_at).into()];
        match self
            .execute(&self.statements.touch, &values)
            .await
            .map_err(failure::into_error)?
        {
            0 => self.exists(&self.statements.version, &values[..1]).await,
            _ => Ok(true),
        }
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let handle = handle.to_string();
        let values = [(&*handle).into()];
        let deleted = self
            .execute(&self.statements.delete, &values)
            .await
            .map_err(failure::into_error)?;
        Ok(deleted > 0)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let (old, stone) = (old.to_string(), Row::new(tombstone, expected.next()));
        let (new, moved) = (new.to_string(), Row::new(record, record.version()));
        let mut values = vec![(&*old).into(), row::number(expected).into()];
        values.extend(stone.values());
        values.push((&*new).into());
        values.extend(moved.values());
        match self.insert(&self.statements.regenerate, &values).await? {
            None => Ok(Replaced::Conflict),
            Some(0) => self.why_not_replaced(&old).await,
            Some(_) => Ok(Replaced::Stored(record.version())),
        }
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        let (limit, mut deleted) = (limit as u64, 0);
        while deleted < limit {
            let batch = limit - deleted;
            let values = [
                row::millis(now).into(),
                i64::try_from(batch).unwrap_or(i64::MAX).into(),
            ];
            let swept = self
                .execute(&self.statements.sweep, &values)
                .await
                .map_err(failure::into_error)?;
            deleted += swept;
            if swept == batch {
                break;
            }
            // Due rows that were touched come before others in the index: move them out of the way.
            let postponed = self
                .execute(&self.statements.postpone, &values)
                .await
                .map_err(failure::into_error)?;
            if postponed == 0 {
                break;
            }
        }
        Ok(deleted)
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let rows = self
            .fetch(&self.statements.list, &[(&*row::user_id(user)).into()])
            .await?;
        rows.iter()
            .map(|row| Ok((row::handle::<DB>(row)?, row::record::<DB>(row)?)))
            .collect()
    }

    /// Repeats until the user has no session left: while a session moves to a new id, one `DELETE` may find that the old
    /// row has become a tombstone, and not see the new row yet.
    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let (user, except) = (
            row::user_id(user),
            except.map_or_else(String::new, |h| h.to_string()),
        );
        let values = [(&*user).into(), (&*except).into()];
        let mut deleted = 0;
        loop {
            deleted += self
                .execute(&self.statements.delete_user, &values)
                .await
                .map_err(failure::into_error)?;
            if !self
                .exists(&self.statements.user_has_sessions, &values)
                .await?
            {
                return Ok(deleted);
            }
        }
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.number(&self.statements.count, &[row::millis(now).into()])
            .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let after = after.map(Cursor::handle).transpose()?;
        let after = after.map_or_else(String::new, |handle| handle.to_string());
        let limit = limit.max(1);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [(&*after).into(), most.into()];
        let rows = self.fetch(&self.statements.scan, &values).await?;
        let session = |row| Ok((row::handle::<DB>(row)?, row::record::<DB>(row)));
        let sessions = rows.iter().map(session).collect::<Result<_, Error>>()?;
        Ok(Page::by_handle(sessions, limit))
    }
}

impl<DB: Database> Clone for SqlStore<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            statements: Arc::clone(&self.statements),
        }
    }
}

impl<DB: Database> fmt::Debug for SqlStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the pool: its `Debug` may print the server's address with the password.
        f.debug_struct("SqlStore")
            .field("engine", &DB::NAME)
            .finish_non_exhaustive()
    }
}
