// Over 250 lines: the methods of the store contract over one body of statements.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    executor::{Executor, Failure, FailureKind, Route},
    found,
    row::{self, Row},
    statements::{Statement, Statements, check_table},
    value::Value,
};
use crate::{
    error::{ConfigError, Error},
    id::{self, Handle},
    record::{Record, Version},
    store::{Created, Cursor, Feed, Page, Replaced, SessionStore, Status},
};

/// The sessions in a table of a SQL database: what all SQL stores have in common.
#[derive(Clone)]
pub(super) struct SqlTable<E> {
    executor: E,
    statements: Arc<Statements>,
}

const TABLE: &str = "wiz_sessions";

/// How often a statement that the engine rolled back because of a concurrent one is sent at most.
const MAX_ATTEMPTS: u32 = 16;

impl<E: Executor> SqlTable<E> {
    pub(super) fn new(executor: E) -> Self {
        Self {
            executor,
            statements: Arc::new(Statements::new(&E::SYNTAX, TABLE)),
        }
    }

    pub(super) fn executor(&self) -> &E {
        &self.executor
    }

    #[cfg(feature = "postgres")]
    pub(super) fn map_executor(self, change: impl FnOnce(E) -> E) -> Self {
        Self {
            executor: change(self.executor),
            statements: self.statements,
        }
    }

    pub(super) fn with_table(self, name: &str) -> Result<Self, ConfigError> {
        check_table(name)?;
        Ok(Self {
            statements: Arc::new(Statements::new(&E::SYNTAX, name)),
            ..self
        })
    }

    /// Succeeds without the permission to create tables if the table is there.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let denied = match self.executor.run_script(&self.statements.schema).await {
            Err(failure) if failure.kind == FailureKind::Denied => failure,
            migrated => return migrated.map_err(Error::from),
        };
        let is_there = self.fetch(Route::Background, &self.statements.is_there, &[]);
        is_there.await.map(drop).map_err(|_| denied.error)
    }

    pub(super) fn schema(&self) -> &str {
        &self.statements.schema
    }

    pub(super) async fn count_expired(&self, now: SystemTime) -> Result<u64, Error> {
        self.number(&self.statements.count_expired, &[row::millis(now).into()])
            .await
    }

    /// Runs a statement, again if the engine rolled it back because of a concurrent one.
    pub(super) async fn execute(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, Failure> {
        Self::write(|| self.executor.execute(route, statement, values)).await
    }

    async fn write<F>(statement: impl Fn() -> F) -> Result<u64, Failure>
    where
        F: Future<Output = Result<u64, Failure>>,
    {
        let mut attempts = 1;
        loop {
            match statement().await {
                Err(failure)
                    if failure.kind == FailureKind::RolledBack && attempts < MAX_ATTEMPTS =>
                {
                    back_off(attempts).await;
                    attempts += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Runs a statement that inserts. `None` if the handle is in use.
    async fn insert(
        &self,
        handle: Handle,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Option<u64>, Error> {
        match self
            .execute(Route::Session(handle), statement, values)
            .await
        {
            Err(failure) if failure.kind == FailureKind::DuplicateKey => Ok(None),
            answer => Ok(Some(answer?)),
        }
    }

    pub(super) async fn fetch(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<E::Row>, Error> {
        self.read(|| self.executor.fetch(route, statement, values))
            .await
    }

    /// Runs a query, on another connection if the first turns out to be dead: after a restart of the server each of
    /// them may be. A write is not repeated, as it may have taken effect before its connection died.
    async fn read<T, F>(&self, query: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (mut connections, mut attempts) = (self.executor.connections(), 1);
        loop {
            let failure = match query().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match failure.kind {
                FailureKind::ConnectionLost if connections > 0 => connections -= 1,
                FailureKind::RolledBack if attempts < MAX_ATTEMPTS => {
                    back_off(attempts).await;
                    attempts += 1;
                }
                _ => return Err(failure.into()),
            }
        }
    }

    async fn exists(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<bool, Error> {
        Ok(!self.fetch(route, statement, values).await?.is_empty())
    }

    /// Runs a query that counts.
    async fn number(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64, Error> {
        let rows = self.fetch(Route::Background, statement, values).await?;
        let number = rows.first().map_or(Ok(0), |row| E::number(row, 0))?;
        Ok(number.max(0).cast_unsigned())
    }

    /// Why no row had the expected version: it has another one, or there is no row.
    async fn why_not_replaced(&self, handle: Handle) -> Result<Replaced, Error> {
        let text = handle.to_string();
        let there = self
            .exists(
                Route::Session(handle),
                &self.statements.version,
                &[(&*text).into()],
            )
            .await?;
        Ok(if there {
            Replaced::Conflict
        } else {
            Replaced::Gone
        })
    }
}

/// A random while of up to a millisecond, twice as long after each further attempt, up to 64 milliseconds.
async fn back_off(attempts: u32) {
    let most = 500_u64 << attempts.min(7);
    let [first, second, ..] = id::random();
    let part = u64::from(u16::from_ne_bytes([first, second]));
    tokio::time::sleep(Duration::from_micros(part * most / u64::from(u16::MAX))).await;
}

impl<E: Executor> SessionStore for SqlTable<E> {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let (text, row) = (handle.to_string(), Row::new(record, record.version()));
        let [version, user_id, expires_at, tombstone, record] = row.values();
        let values = [
            (&*text).into(),
            version,
            user_id,
            expires_at,
            tombstone,
            record,
        ];
        match self
            .insert(handle, &self.statements.create, &values)
            .await?
        {
            Some(_) => Ok(Created::Created),
            None => Ok(Created::Exists),
        }
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let row = self
            .read(|| self.executor.load(handle, &self.statements.load))
            .await?;
        row.map(|row| found::record::<E>(&row)).transpose()
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let (row, statements) = (Row::new(record, expected.next()), &self.statements);
        let replace = || self.executor.replace(handle, expected, &row, statements);
        match Self::write(replace).await? {
            0 => self.why_not_replaced(handle).await,
            _ => Ok(Replaced::Stored(expected.next())),
        }
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let (route, handle) = (Route::Session(handle), handle.to_string());
        let values = [(&*handle).into(), row::millis(expires_at).into()];
        match self.execute(route, &self.statements.touch, &values).await? {
            // It ends later already, has moved, or is not there.
            0 => {
                self.exists(route, &self.statements.is_session, &values[..1])
                    .await
            }
            _ => Ok(true),
        }
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let (route, handle) = (Route::Session(handle), handle.to_string());
        let values = [(&*handle).into()];
        let deleted = self
            .execute(route, &self.statements.delete, &values)
            .await?;
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
        let (from, stone) = (old.to_string(), Row::new(tombstone, expected.next()));
        let (to, moved) = (new.to_string(), Row::new(record, record.version()));
        let mut values = vec![(&*from).into(), row::number(expected).into()];
        values.extend(stone.values());
        values.push((&*to).into());
        values.extend(moved.values());
        match self
            .insert(old, &self.statements.regenerate, &values)
            .await?
        {
            None => Ok(Replaced::Conflict),
            Some(0) => self.why_not_replaced(old).await,
            Some(_) => Ok(Replaced::Stored(record.version())),
        }
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        let (limit, mut deleted) = (limit as u64, 0);
        while deleted < limit {
            let batch = (limit - deleted).min(E::SYNTAX.sweep_batch);
            let start = Instant::now();
            let values = [
                row::millis(now).into(),
                i64::try_from(batch).unwrap_or(i64::MAX).into(),
            ];
            let swept = self
                .execute(Route::Background, &self.statements.sweep, &values)
                .await?;
            deleted += swept;
            if swept == batch {
                if deleted < limit {
                    // The application's writes come in between.
                    tokio::time::sleep(start.elapsed()).await;
                }
                continue;
            }
            // Due rows that were touched come before others in the index: move them out of the way.
            let postponed = self
                .execute(Route::Background, &self.statements.postpone, &values)
                .await?;
            if postponed == 0 {
                break;
            }
        }
        Ok(deleted)
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let rows = self
            .fetch(
                Route::User,
                &self.statements.list,
                &[(&*row::user_id(user)).into()],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((found::handle::<E>(row)?, found::record::<E>(row)?)))
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
                .execute(Route::User, &self.statements.delete_user, &values)
                .await?;
            if !self
                .exists(Route::User, &self.statements.user_has_sessions, &values)
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
        let rows = self
            .fetch(Route::Background, &self.statements.scan, &values)
            .await?;
        let session = |row| Ok((found::handle::<E>(row)?, found::record::<E>(row)));
        let sessions = rows.iter().map(session).collect::<Result<_, Error>>()?;
        Ok(Page::by_handle(sessions, limit))
    }
    async fn look(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        let Some(first) = handles.first() else {
            return Ok(Vec::new());
        };
        let asked = row::handles(handles);
        // By an index, so it is as quick as a load; and as soon as a load it is to notice that the server is gone.
        let route = Route::Session(*first);
        let rows = self
            .fetch(route, &self.statements.look, &[(&*asked).into()])
            .await?;
        let found = rows.iter().map(found::status::<E>);
        let found: HashMap<Handle, Status> = found.collect::<Result<_, Error>>()?;
        Ok(handles
            .iter()
            .map(|handle| found.get(handle).copied())
            .collect())
    }

    async fn push(&self, feed: Feed) {
        self.executor.push(&self.statements.table, feed).await;
    }
}
