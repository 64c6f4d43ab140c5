use sqlx::{Database, Error, Pool, error::DatabaseError};

use super::statements::Statement;

/// What differs from one engine to the other: some words of SQL, and a driver.
pub(crate) trait Dialect: Database {
    const SYNTAX: Syntax;

    /// Whether sqlx finds the end of an answer whose future was dropped midway.
    const READS_ON: bool;

    /// Carries a statement out. Answers how many rows it changed.
    fn execute(
        pool: &Pool<Self>,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// The rows that a query finds.
    fn fetch(
        pool: &Pool<Self>,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Carries out several statements without values.
    fn run_script(pool: &Pool<Self>, sql: &str) -> impl Future<Output = Result<(), Error>> + Send;

    fn number(row: &Self::Row, column: usize) -> Result<i64, Error>;

    fn text(row: &Self::Row, column: usize) -> Result<String, Error>;

    /// Whether a record was not inserted because its handle is in use.
    fn is_taken(error: &dyn DatabaseError) -> bool {
        error.is_unique_violation()
    }

    /// Whether the engine gave this statement up in favour of another, undone, to be sent again.
    fn is_victim(error: &dyn DatabaseError) -> bool;
}

/// The words that differ. In templates `{table}` is the table, `{replace}` the statement that replaces a record.
#[derive(Debug)]
pub(crate) struct Syntax {
    /// Placeholders have numbers.
    pub(super) numbered: bool,
    /// The function that gives the least of its arguments.
    pub(super) least: &'static str,
    /// Moves a session to a new id. The first seven values are those of `{replace}`, for the old record, the others
    /// are the new one.
    pub(super) regenerate: &'static str,
    /// Of the first so many records that are due, deletes those that have expired.
    pub(super) sweep: &'static str,
    /// Of the first so many records that are due, puts those off that were touched.
    pub(super) postpone: &'static str,
    pub(super) schema: &'static str,
}

/// A value for a placeholder.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    Number(i64),
    Flag(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// The methods of a [`Dialect`] that read the same for every driver of sqlx, each with its own types.
macro_rules! driver {
    () => {
        async fn execute(
            pool: &sqlx::Pool<Self>,
            statement: &super::statements::Statement,
            values: &[super::dialect::Value<'_>],
        ) -> Result<u64, sqlx::Error> {
            let mut lease = super::lease::Lease::acquire(pool).await?;
            let query = super::dialect::bind!(statement, values);
            let done = query.execute(lease.connection()).await;
            lease.give_back();
            done.map(|done| done.rows_affected())
        }

        async fn fetch(
            pool: &sqlx::Pool<Self>,
            statement: &super::statements::Statement,
            values: &[super::dialect::Value<'_>],
        ) -> Result<Vec<Self::Row>, sqlx::Error> {
            let mut lease = super::lease::Lease::acquire(pool).await?;
            let query = super::dialect::bind!(statement, values);
            let rows = query.fetch_all(lease.connection()).await;
            lease.give_back();
            rows
        }

        async fn run_script(pool: &sqlx::Pool<Self>, sql: &str) -> Result<(), sqlx::Error> {
            sqlx::raw_sql(sql).execute(pool).await.map(drop)
        }

        fn number(row: &Self::Row, column: usize) -> Result<i64, sqlx::Error> {
            sqlx::Row::try_get(row, column)
        }

        // Unchecked: sqlx takes MySQL's text of a binary collation for bytes. That it is UTF-8 is checked all the same.
        fn text(row: &Self::Row, column: usize) -> Result<String, sqlx::Error> {
            sqlx::Row::try_get_unchecked(row, column)
        }
    };
}

/// A query with its values, each where its placeholder is.
macro_rules! bind {
    ($statement:expr, $values:expr) => {
        $statement
            .order
            .iter()
            .fold(
                sqlx::query(&$statement.sql),
                |query, &place| match $values[place] {
                    super::dialect::Value::Text(text) => query.bind(text),
                    super::dialect::Value::Number(number) => query.bind(number),
                    super::dialect::Value::Flag(flag) => query.bind(flag),
                },
            )
    };
}

pub(super) use {bind, driver};
