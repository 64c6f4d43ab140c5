use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::sleep;
use tokio_postgres::Row;

use super::{
    connection::Connection,
    connector::Connector,
    dialect::SYNTAX,
    failure::{LOCK_NOT_AVAILABLE, Refusal},
    lanes::Lanes,
    parameters::{OwnedParameter, borrowed, owned},
    writes::Write,
};
use crate::{
    error::Error,
    id::Handle,
    record::Version,
    store::Feed,
    store::sql::{
        executor::{Executor, Failure, Route},
        row::Row as SessionRow,
        statements::{Statement, Statements},
        syntax::Syntax,
        value::Value,
    },
};

/// Sends the statements of a store, over a few connections.
#[derive(Clone)]
pub(crate) struct PostgresExecutor {
    lanes: Arc<Lanes>,
}

/// As each commits one statement at a time, and waits for the disk meanwhile.
pub(super) const CONNECTIONS: usize = 10;

/// How long a write waits for a row that another transaction has locked.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);

impl PostgresExecutor {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        Self {
            lanes: Arc::new(Lanes::new(connector, connections)),
        }
    }

    pub(super) fn with_connections(&self, connections: usize) -> Self {
        Self::new(self.lanes.connector.clone(), connections)
    }

    /// Opens the first connection, unless it is open.
    pub(super) async fn open(&self) -> Result<(), Refusal> {
        let first = self.lanes.all().next().expect("there is a lane");
        first.connection().await.map(drop)
    }

    pub(super) async fn close(&self) {
        join_all(self.lanes.all().map(|lane| lane.close())).await;
    }
}

impl Executor for PostgresExecutor {
    type Row = Row;

    const SYNTAX: Syntax = SYNTAX;

    /// A row that another transaction has locked is retried on the connection set aside, in short attempts, since other
    /// statements use it too.
    async fn execute(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, Failure> {
        let (mut lane, since) = (self.lanes.of(route), Instant::now());
        let values: Arc<[OwnedParameter]> = owned(values).into();
        let changes = match route {
            Route::Session(handle) => Some(handle),
            Route::User | Route::Background => None,
        };
        loop {
            let (sql, values) = (Arc::clone(&statement.sql), Arc::clone(&values));
            let execute = async move |connection: Arc<Connection>| {
                connection.execute(&sql, &borrowed(&values)).await
            };
            match lane.run(Arc::default(), changes, execute).await {
                Err(refusal)
                    if refusal.code() == Some(LOCK_NOT_AVAILABLE)
                        && since.elapsed() < LOCK_PATIENCE =>
                {
                    lane = &self.lanes.aside;
                    sleep(LOCK_PAUSE).await;
                }
                answer => return answer.map_err(Failure::from),
            }
        }
    }

    async fn fetch(
        &self,
        route: Route,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let (sql, values) = (Arc::clone(&statement.sql), owned(values));
        let fetch = async move |connection: Arc<Connection>| {
            connection.fetch(&sql, &borrowed(&values)).await
        };
        Ok(self
            .lanes
            .of(route)
            .run(Arc::default(), None, fetch)
            .await?)
    }

    async fn load(
        &self,
        handle: Handle,
        statement: &Statement,
    ) -> Result<Option<Arc<Row>>, Failure> {
        Ok(self.lanes.load(&statement.sql, handle).await?)
    }

    /// Goes with others. What the server refuses is rolled back as a whole, maybe because of another one: then each goes
    /// by itself.
    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        row: &SessionRow<'_>,
        statements: &Arc<Statements>,
    ) -> Result<u64, Failure> {
        let write = Write::new(handle, expected, row);
        match self.lanes.write(handle, &write, statements).await {
            Err(refusal) if refusal.is_answer() => {
                let (route, statement) = (Route::Session(handle), &statements.replace);
                self.execute(route, statement, &write.values()).await
            }
            stored => Ok(stored?.into()),
        }
    }

    async fn run_script(&self, sql: &str) -> Result<(), Failure> {
        let sql = sql.to_owned();
        let run = async move |connection: Arc<Connection>| connection.run_script(&sql).await;
        Ok(self.lanes.background.run(Arc::default(), None, run).await?)
    }

    /// One that died and the one after it, which may have been opened to a server that was about to end.
    async fn push(&self, table: &str, feed: Feed) {
        super::feed::listen(&self.lanes.connector, table, feed).await;
    }

    fn connections(&self) -> usize {
        2
    }

    fn number(row: &Row, column: usize) -> Result<i64, Error> {
        row.try_get(column)
            .map_err(|error| Refusal::from(error).into())
    }

    fn text(row: &Row, column: usize) -> Result<Cow<'_, str>, Error> {
        let text: Result<&str, _> = row.try_get(column);
        text.map(Cow::Borrowed)
            .map_err(|error| Refusal::from(error).into())
    }

    #[cfg(feature = "flask")]
    fn bytes(row: &Row, column: usize) -> Result<Vec<u8>, Error> {
        row.try_get(column)
            .map_err(|error| Refusal::from(error).into())
    }
}

const LOCK_PAUSE: Duration = Duration::from_millis(20);
