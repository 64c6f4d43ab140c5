use std::{
    borrow::Cow,
    error::Error as StdError,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_postgres::{
    Error as DriverError, Row,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{
    connection::{Connection, GIVE_UP_AT, Parameter, Patience},
    connector::Connector,
    dialect::SYNTAX,
    failure::{LOCK_NOT_AVAILABLE, READ_ONLY, Refusal},
    lane::Lane,
    loads::{Loads, Rows},
};
use crate::{
    error::Error,
    id::Handle,
    store::Feed,
    store::sql::{
        executor::{Executor, Failure, Route},
        statements::Statement,
        syntax::Syntax,
        value::Value,
    },
};

/// A few connections, each used by many callers at once.
///
/// A session's writes take the same connection, so that those of a busy session queue on one only. Loads take the
/// connection with the least in flight, [several at a time](super::loads). Two more connections are for statements that
/// concern many sessions or wait for a locked row: these are slow, and must not hold up other requests.
#[derive(Clone)]
pub(crate) struct Pipelines {
    lanes: Arc<Lanes>,
}

struct Lanes {
    connector: Connector,
    sessions: Box<[Lane]>,
    /// What concerns a user's sessions, and what met a locked row.
    aside: Lane,
    background: Lane,
    loads: Loads<Row>,
}

/// As each commits one write at a time, and waits for the disk meanwhile.
pub(super) const CONNECTIONS: usize = 10;

/// Ticks after which a silent connection is given up where statements may take long: half a minute, and ten.
const ASIDE: u32 = 60;
const BACKGROUND: u32 = 1_200;

/// How long a write waits for a row that another transaction has locked.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);

impl Pipelines {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        let lane = |ticks| Lane::new(connector.clone(), Patience::new(ticks));
        Self {
            lanes: Arc::new(Lanes {
                sessions: (0..connections).map(|_| lane(GIVE_UP_AT)).collect(),
                aside: lane(ASIDE),
                background: lane(BACKGROUND),
                loads: Loads::new(),
                connector,
            }),
        }
    }

    pub(super) fn with_connections(&self, connections: usize) -> Self {
        Self::new(self.lanes.connector.clone(), connections)
    }

    /// Opens the first connection, unless it is open.
    pub(super) async fn open(&self) -> Result<(), Refusal> {
        self.lanes.sessions[0].connection().await.map(drop)
    }

    pub(super) async fn close(&self) {
        let lanes = &self.lanes;
        for lane in lanes
            .sessions
            .iter()
            .chain([&lanes.aside, &lanes.background])
        {
            lane.close().await;
        }
    }
}

impl Lanes {
    fn of(&self, route: Route) -> &Lane {
        match route {
            Route::Session(handle) => {
                let [first, second, ..] = handle.as_bytes();
                let number = usize::from(u16::from_ne_bytes([*first, *second]));
                &self.sessions[number % self.sessions.len()]
            }
            Route::User => &self.aside,
            Route::Background => &self.background,
        }
    }

    /// The lane of sessions with the fewest statements in flight: a load is not to wait behind writes, which wait for
    /// the disk.
    fn idlest(&self) -> &Lane {
        let lanes = self.sessions.iter();
        lanes
            .min_by_key(|lane| lane.in_flight())
            .expect("there is a lane")
    }

    async fn on<T>(
        &self,
        lane: &Lane,
        send: impl AsyncFnOnce(&Connection) -> Result<T, DriverError>,
    ) -> Result<T, Refusal> {
        let in_flight = lane.enter();
        let connection = lane.connection().await?;
        let answer = send(&connection).await.map_err(Refusal::from);
        in_flight.answered();
        if let Err(refusal) = &answer
            && refusal.code() == Some(READ_ONLY)
            && self.connector.wants_primary
        {
            // It was the primary when it was connected to.
            lane.leave(&connection);
        }
        answer
    }

    async fn load(
        &self,
        lane: &Lane,
        sql: &str,
        handles: Vec<String>,
    ) -> Result<Rows<Row>, Refusal> {
        let handles = [(&handles as &(dyn ToSql + Sync), Type::TEXT_ARRAY)];
        let sent = async |connection: &Connection| connection.fetch(sql, &handles).await;
        let rows = self.on(lane, sent).await?;
        let by_handle = |row: Row| Ok((row.try_get(3)?, Arc::new(row)));
        let rows: Result<_, DriverError> = rows.into_iter().map(by_handle).collect();
        Ok(Arc::new(rows?))
    }
}

impl Executor for Pipelines {
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
        let values = parameters(values);
        loop {
            let sent =
                async |connection: &Connection| connection.execute(&statement.sql, &values).await;
            match self.lanes.on(lane, sent).await {
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
        let values = parameters(values);
        let sent = async |connection: &Connection| connection.fetch(&statement.sql, &values).await;
        Ok(self.lanes.on(self.lanes.of(route), sent).await?)
    }

    /// Goes with others, unless a write to this session may be in flight whose caller went away: what a load answers after
    /// that has to hold.
    async fn load(
        &self,
        handle: Handle,
        statement: &Statement,
    ) -> Result<Option<Arc<Row>>, Failure> {
        let (lane, key) = (self.lanes.of(Route::Session(handle)), handle.to_string());
        if lane.may_have_abandoned() {
            let rows = self.lanes.load(lane, &statement.sql, vec![key.clone()]);
            return Ok(rows.await?.get(&key).cloned());
        }
        let (lanes, sql) = (Arc::clone(&self.lanes), Arc::clone(&statement.sql));
        let send = move |handles| async move { lanes.load(lanes.idlest(), &sql, handles).await };
        Ok(self.lanes.loads.load(&statement.sql, key, send).await?)
    }

    async fn run_script(&self, sql: &str) -> Result<(), Failure> {
        let sent = async |connection: &Connection| connection.run_script(sql).await;
        Ok(self.lanes.on(&self.lanes.background, sent).await?)
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
}

const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<Parameter<'a>> {
    let parameter = |value: &'a Value<'a>| -> Parameter<'a> { (value, value.type_of()) };
    values.iter().map(parameter).collect()
}

impl Value<'_> {
    fn type_of(&self) -> Type {
        match self {
            Value::Text(_) => Type::TEXT,
            Value::Number(_) => Type::INT8,
            Value::Flag(_) => Type::BOOL,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Value::Text(text) => text.to_sql(ty, out),
            Value::Number(number) => number.to_sql(ty, out),
            Value::Flag(flag) => flag.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
