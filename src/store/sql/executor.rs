use std::{borrow::Cow, sync::Arc};

use super::{
    row::{self, Row},
    statements::{Statement, Statements},
    syntax::Syntax,
    value::Value,
};
use crate::{error::Error, id::Handle, record::Version, store::Feed};

/// What sends statements to an engine, and tells what its refusals mean.
pub(crate) trait Executor: Clone + Send + Sync + 'static {
    type Row: Send + Sync;

    const SYNTAX: Syntax;

    /// Runs a statement and returns how many rows it changed.
    fn execute(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Runs a query and returns its rows.
    fn fetch(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Failure>> + Send;

    /// Runs the query that loads a session, and returns its row. A store may load several by one statement.
    fn load(
        &self,
        handle: Handle,
        statement: &Statement,
    ) -> impl Future<Output = Result<Option<Arc<Self::Row>>, Failure>> + Send {
        async move {
            let (route, handle) = (Route::Session(handle), handle.to_string());
            let values = [(&*handle).into()];
            let mut rows = self.fetch(route, statement, &values).await?;
            Ok(rows.pop().map(Arc::new))
        }
    }

    /// Replaces a session's row if it has the expected version, and returns how many rows it changed. A store may replace
    /// several by one statement.
    fn replace(
        &self,
        handle: Handle,
        expected: Version,
        row: &Row<'_>,
        statements: &Arc<Statements>,
    ) -> impl Future<Output = Result<u64, Failure>> + Send {
        async move {
            let (route, handle) = (Route::Session(handle), handle.to_string());
            let [version, user_id, expires_at, tombstone, record] = row.values();
            let known = [(&*handle).into(), row::number(expected).into()];
            let values = [
                known[0], known[1], version, user_id, expires_at, tombstone, record,
            ];
            self.execute(route, &statements.replace, &values).await
        }
    }

    /// Runs several statements without parameters.
    fn run_script(&self, sql: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Reports what the statements that end sessions tell, on the channel that has the table's name.
    fn push(&self, table: &str, feed: Feed) -> impl Future<Output = ()> + Send {
        let _ = (table, feed);
        std::future::ready(())
    }

    /// How many connections may turn out to be dead, one after the other, before a query has met them all.
    fn connections(&self) -> usize;

    fn number(row: &Self::Row, column: usize) -> Result<i64, Error>;

    fn text(row: &Self::Row, column: usize) -> Result<Cow<'_, str>, Error>;

    #[cfg(feature = "flask")]
    fn bytes(row: &Self::Row, column: usize) -> Result<Vec<u8>, Error>;
}

/// What a statement is about: it decides which of several connections it takes, where statements share them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "a pool has no use for it")
    )]
    Session(Handle),
    /// All sessions of a user.
    User,
    /// Any number of sessions, for which no request waits.
    Background,
}

/// A statement that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) error: Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// An insert's handle is in use. Nothing was changed.
    DuplicateKey,
    /// The engine rolled it back because of a concurrent one, as after a deadlock: sent again, it can succeed.
    RolledBack,
    /// The connection was lost, or closed by the server: it may have been run or not.
    ConnectionLost,
    /// The user lacks a permission.
    Denied,
    Other,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
