use sqlx::{Database, Pool, error::DatabaseError};

use crate::store::sql::{statements::Statement, syntax::Syntax, value::Value};

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

    #[cfg(feature = "flask")]
    fn bytes(row: &Self::Row, column: usize) -> Result<Vec<u8>, sqlx::Error>;

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

        #[cfg(feature = "flask")]
        fn bytes(row: &Self::Row, column: usize) -> Result<Vec<u8>, sqlx::Error> {
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
                #[cfg(feature = "flask")]
                crate::store::sql::value::Value::Bytes(bytes) => query.bind(bytes),
            },
        )
    };
}

pub(crate) use {bind, driver};
