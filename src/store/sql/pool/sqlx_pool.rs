use std::{borrow::Cow, sync::Arc};

use sqlx::{Database, Pool};
use tokio::sync::OnceCell;

use super::{
    driver::Driver,
    failure::{self, into_error},
};
use crate::{
    error::Error,
    store::sql::{
        executor::{Executor, Failure, Route},
        statements::Statement,
        syntax::Syntax,
        value::Value,
    },
};

/// A pool that has been found to be fit.
pub(crate) struct SqlxPool<DB: Database> {
    pool: Pool<DB>,
    fit: Arc<OnceCell<()>>,
}

impl<DB: Driver> SqlxPool<DB> {
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            fit: Arc::new(OnceCell::new()),
        }
    }

    pub(crate) fn pool(&self) -> &Pool<DB> {
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

    #[cfg(feature = "flask")]
    fn bytes(row: &DB::Row, column: usize) -> Result<Vec<u8>, Error> {
        DB::bytes(row, column).map_err(into_error)
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
