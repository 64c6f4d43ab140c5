use std::{fmt, sync::Arc, time::SystemTime};

use sqlx::{Database, Pool};

use super::{
    dialect::{Dialect, Value},
    failure,
    row::{self, Row},
    statements::{Statement, Statements, check_table},
};
use crate::{
    error::{ConfigError, Error},
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
};

/// Keeps sessions in a table of a SQL database: what `SqliteStore`, `PostgresStore` and `MySqlStore` have in common.
///
/// Clones share the pool of connections.
///
/// # The table
///
/// `wiz_sessions`, unless [named otherwise](Self::with_table), with one row a session:
///
/// | column | |
/// |---|---|
/// | `handle` | the session's [`Handle`], 32 hexadecimal digits as in the logs; it opens no session |
/// | `version` | counts the changes |
/// | `user_id` | who is logged in; for names that are longer than 255 bytes, or odd, a digest |
/// | `expires_at` | milliseconds since 1970 |
/// | `sweep_at` | when the [sweeper](crate::Sweeper) is to look at it: never later than `expires_at` |
/// | `tombstone` | it only marks an old id |
/// | `record` | the data, as JSON text that reads well |
///
/// `sweep_at` is there because an index on `expires_at` would change with every request that keeps a session alive.
/// A touch leaves `sweep_at` as it is, so it changes no index (in PostgreSQL it is a *HOT* update); when the time has
/// come, the sweeper deletes a session that has expired, and puts one that was used off to its new end.
///
/// # Round trips
///
/// One for each verb: reading a session is one, writing it two, a new session one, a new id two. A conflict,
/// and a touch that has nothing to move, take one more to see whether the session is still there. The first use of a
/// statement on a connection takes one more to prepare it.
pub struct SqlStore<DB: Database> {
    pool: Pool<DB>,
    statements: Arc<Statements>,
}

const TABLE: &str = "wiz_sessions";

/// A statement that the engine gave up for another one is sent again, so many times at the most.
const TRIES: usize = 10;

#[expect(private_bounds, reason = "the engines are these three")]
impl<DB: Dialect> SqlStore<DB> {
    /// Over a pool that is there already, which may serve the rest of the application too. For the table see
    /// [`migrate`](Self::migrate).
    ///
    /// The pool decides how long to wait for a connection and whether it is tested before its use, which is a round
    /// trip more for every statement; sqlx waits 30 seconds and tests unless told otherwise. What the store's own
    /// pools do is in [`pool_options`](Self::pool_options).
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
    /// If the name has more to it than lower-case letters, digits and `_`, begins with a digit or is longer than 48.
    pub fn with_table(self, name: &str) -> Result<Self, ConfigError> {
        check_table(name)?;
        Ok(Self {
            statements: Arc::new(Statements::new(&DB::SYNTAX, name)),
            ..self
        })
    }

    /// Creates the table and its indexes if they are not there. Any number of processes may do so at once.
    ///
    /// Takes a role that may create tables. Where the application has none, let an administrator run the
    /// [`schema`](Self::schema).
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn migrate(&self) -> Result<(), Error> {
        DB::run_script(&self.pool, &self.statements.schema)
            .await
            .map_err(failure::of)
    }

    /// The SQL that [`migrate`](Self::migrate) runs.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.statements.schema
    }

    /// How many rows [`delete_expired`](SessionStore::delete_expired) has to delete at `now`. An index leads to them,
    /// so it costs little where somebody sweeps.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # #[cfg(feature = "sqlite")]
    /// # async fn f(store: wiz_session::SqliteStore) -> Result<(), wiz_session::Error> {
    /// if store.count_expired(SystemTime::now()).await? > 1_000_000 {
    ///     eprintln!("does anybody sweep?");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn count_expired(&self, now: SystemTime) -> Result<u64, Error> {
        self.number(&self.statements.count_expired, &[row::millis(now).into()])
            .await
    }

    /// The pool of connections.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    async fn execute(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        let mut tries = 1;
        loop {
            match DB::execute(&self.pool, statement, values).await {
                Err(sqlx::Error::Database(error)) if tries < TRIES && DB::is_victim(&*error) => {
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    /// The same for a statement that inserts; without an answer if the handle is in use.
    async fn insert(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Option<u64>, Error> {
        match self.execute(statement, values).await {
            Err(sqlx::Error::Database(error)) if DB::is_taken(&*error) => Ok(None),
            answer => answer.map(Some).map_err(failure::of),
        }
    }

    /// A connection that turns out to be dead does no harm to a read: another one is asked, until all that the pool
    /// had are through. What has been written over a connection that died nobody knows, so that is left to fail.
    async fn fetch(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<DB::Row>, Error> {
        let mut connections = self.pool.options().get_max_connections();
        let mut tries = 1;
        loop {
            match DB::fetch(&self.pool, statement, values).await {
                Err(error) if connections > 0 && failure::is_of_connection(&error) => {
                    connections -= 1;
                }
                Err(sqlx::Error::Database(error)) if tries < TRIES && DB::is_victim(&*error) => {
                    tries += 1;
                }
                answer => return answer.map_err(failure::of),
            }
        }
    }

    async fn finds(&self, statement: &Statement, values: &[Value<'_>]) -> Result<bool, Error> {
        Ok(!self.fetch(statement, values).await?.is_empty())
    }

    /// The answer to a statement that counts.
    async fn number(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64, Error> {
        let rows = self.fetch(statement, values).await?;
        let number = rows
            .first()
            .map_or(Ok(0), |row| DB::number(row, 0))
            .map_err(failure::of)?;
        Ok(number.max(0).cast_unsigned())
    }

    /// Why no row had the expected version.
    async fn lost(&self, handle: &str) -> Result<Replaced, Error> {
        let there = self
            .finds(&self.statements.version, &[handle.into()])
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
            .map_err(failure::of)?
        {
            0 => self.lost(&handle).await,
            _ => Ok(Replaced::Stored(expected.next())),
        }
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let handle = handle.to_string();
        let values = [(&*handle).into(), row::millis(expires_at).into()];
        match self
            .execute(&self.statements.touch, &values)
            .await
            .map_err(failure::of)?
        {
            0 => self.finds(&self.statements.version, &values[..1]).await,
            _ => Ok(true),
        }
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let handle = handle.to_string();
        let values = [(&*handle).into()];
        let deleted = self
            .execute(&self.statements.delete, &values)
            .await
            .map_err(failure::of)?;
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
            Some(0) => self.lost(&old).await,
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
                .map_err(failure::of)?;
            deleted += swept;
            if swept == batch {
                break;
            }
            // Those that were touched stood before others in the index: they make way.
            let postponed = self
                .execute(&self.statements.postpone, &values)
                .await
                .map_err(failure::of)?;
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

    /// A session that moves to a new id is under one of them whenever one looks; but a statement that deletes may
    /// come upon the old one when it has just become a tombstone, and not see the new one yet.
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
                .map_err(failure::of)?;
            if !self.finds(&self.statements.user_left, &values).await? {
                return Ok(deleted);
            }
        }
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.number(&self.statements.count, &[row::millis(now).into()])
            .await
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
        // The pool's own `Debug` may print the address of the server, with the password.
        f.debug_struct("SqlStore")
            .field("engine", &DB::NAME)
            .finish_non_exhaustive()
    }
}
