//! What sends statements through a pool of [sqlx](https://docs.rs/sqlx).

mod failure;
mod lease;

use std::{borrow::Cow, sync::Arc};

use sqlx::{Database, Pool, error::DatabaseError};
use tokio::sync::OnceCell;

use super::{
    executor::{Executor, Failure, Route},
    statements::Statement,
    syntax::Syntax,
    value::Value,
};
use crate::error::Error;

pub(super) use self::{
    failure::{code, into_error},
    lease::{Lease, pool_options},
};

/// What differs from one engine to another: its SQL and its sqlx driver.
pub(crate) trait Driver: Database {
    const SYNTAX: Syntax;

    /// Whether the driver can go on with a connection after the future of a statement was dropped midway.
    const CANCEL_SAFE: bool;

    /// A query that is asked before a pool's first statement, and why a pool that answers it by 0 is refused.
    const REQUIRED: Option<(&'static str, &'static str)> = None;

    /// Runs a statement and returns how many rows it changed.
    fn execute(
        pool: &Pool<Self>,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs a query and returns its rows.
    fn fetch(
        pool: &Pool<Self>,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;

    /// Runs several statements without parameters.
    fn run_script(
        pool: &Pool<Self>,
        sql: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    fn number(row: &Self::Row, column: usize) -> Result<i64, sqlx::Error>;

    fn text(row: &Self::Row, column: usize) -> Result<String, sqlx::Error>;

    /// Whether an insert failed because its handle is in use.
    fn is_duplicate_key(error: &dyn DatabaseError) -> bool {
        error.is_unique_violation()
    }

    /// Whether the engine rolled the statement back because of a concurrent one, as after a deadlock, so that sending
    /// it again can succeed.
    fn is_rolled_back(error: &dyn DatabaseError) -> bool;

    /// Whether the user lacks a permission.
    fn is_denied(error: &dyn DatabaseError) -> bool;
}

/// A pool that has been found to be fit.
pub(crate) struct SqlxPool<DB: Database> {
    pool: Pool<DB>,
    fit: Arc<OnceCell<()>>,
}

impl<DB: Driver> SqlxPool<DB> {
    pub(super) fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            fit: Arc::new(OnceCell::new()),
        }
    }

    pub(super) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Asks once for what every statement relies on.
    async fn check(&self) -> Result<(), Failure> {
        let Some((sql, advice)) = DB::REQUIRED else {
            return Ok(());
        };
        let ask = async || {
            let statement = Statement::without_values(sql);
            let rows = DB::fetch(&self.pool, &statement, &[]).await;
            let rows = rows.map_err(failure::of::<DB>)?;
            match rows.first().map(|row| DB::number(row, 0)) {
                Some(Ok(0)) => Err(failure::refused(sql, advice)),
                Some(Err(error)) => Err(failure::of::<DB>(error)),
                _ => Ok(()),
            }
        };
        self.fit.get_or_try_init(ask).await.map(drop)
    }
}

impl<DB: Driver> Executor for SqlxPool<DB>
where
    DB::Row: Sync,
{
    type Row = DB::Row;

    const SYNTAX: Syntax = DB::SYNTAX;

    async fn execute(
        &self,
        _route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, Failure> {
        self.check().await?;
        let changed = DB::execute(&self.pool, statement, values).await;
        changed.map_err(failure::of::<DB>)
    }

    async fn fetch(
        &self,
        _route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<DB::Row>, Failure> {
        let rows = DB::fetch(&self.pool, statement, values).await;
        rows.map_err(failure::of::<DB>)
    }

    async fn run_script(&self, sql: &str) -> Result<(), Failure> {
        self.check().await?;
        DB::run_script(&self.pool, sql)
            .await
            .map_err(failure::of::<DB>)
    }

    fn connections(&self) -> usize {
        self.pool.options().get_max_connections() as usize
    }

    fn number(row: &DB::Row, column: usize) -> Result<i64, Error> {
        DB::number(row, column).map_err(into_error)
    }

    fn text(row: &DB::Row, column: usize) -> Result<Cow<'_, str>, Error> {
        DB::text(row, column).map(Cow::Owned).map_err(into_error)
    }
}

impl<DB: Database> Clone for SqlxPool<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            fit: Arc::clone(&self.fit),
        }
    }
}

/// The methods of [`Driver`] whose code is the same for every sqlx driver. A macro, as each driver has its own types.
macro_rules! driver {
    () => {
        async fn execute(
            pool: &sqlx::Pool<Self>,
            statement: &crate::store::sql::statements::Statement,
            values: &[crate::store::sql::value::Value<'_>],
        ) -> Result<u64, sqlx::Error> {
            let mut lease =
                crate::store::sql::pool::Lease::acquire(pool, Self::CANCEL_SAFE).await?;
            let query = crate::store::sql::pool::bind!(statement, values);
            let done = query.execute(lease.connection()).await;
            lease.finish();
            done.map(|done| done.rows_affected())
        }

        async fn fetch(
            pool: &sqlx::Pool<Self>,
            statement: &crate::store::sql::statements::Statement,
            values: &[crate::store::sql::value::Value<'_>],
        ) -> Result<Vec<Self::Row>, sqlx::Error> {
            let mut lease =
                crate::store::sql::pool::Lease::acquire(pool, Self::CANCEL_SAFE).await?;
            let query = crate::store::sql::pool::bind!(statement, values);
            let rows = query.fetch_all(lease.connection()).await;
            lease.finish();
            rows
        }

        async fn run_script(pool: &sqlx::Pool<Self>, sql: &str) -> Result<(), sqlx::Error> {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(pool)
                .await
                .map(drop)
        }

        fn number(row: &Self::Row, column: usize) -> Result<i64, sqlx::Error> {
            sqlx::Row::try_get(row, column)
        }

        // Unchecked: to sqlx, MySQL text of a binary collation is bytes. Decoding still checks that it is UTF-8.
        fn text(row: &Self::Row, column: usize) -> Result<String, sqlx::Error> {
            sqlx::Row::try_get_unchecked(row, column)
        }
    };
}

/// A query with a value bound to each placeholder.
macro_rules! bind {
    ($statement:expr, $values:expr) => {
        $statement.order.iter().fold(
            sqlx::query(sqlx::AssertSqlSafe(std::sync::Arc::clone(&$statement.sql))),
            |query, &index| match $values[index] {
                crate::store::sql::value::Value::Text(text) => query.bind(text),
                crate::store::sql::value::Value::Number(number) => query.bind(number),
                crate::store::sql::value::Value::Flag(flag) => query.bind(flag),
            },
        )
    };
}

pub(super) use {bind, driver};
