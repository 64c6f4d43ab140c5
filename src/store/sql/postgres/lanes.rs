use std::{collections::HashMap, sync::Arc};

use tokio_postgres::{
    Error as DriverError, Row,
    types::{ToSql, Type},
};

use super::{
    batches::{Batches, Item, Pending},
    connection::{Connection, GIVE_UP_AT, Patience},
    connector::Connector,
    failure::{READ_ONLY, Refusal},
    lane::Lane,
    writes::{self, Waiting, Write, Writes},
};
use crate::{
    id::Handle,
    store::sql::{executor::Route, statements::Statements},
};

/// A few connections, each used by many callers at once.
///
/// What concerns a session takes a connection that its handle says, so that a load can be sent after a write of which
/// nothing is known. Loads take the one with the least in flight, and writes one of the first: [several at a
/// time](super::batches). Two more connections are for statements that concern many sessions or wait for a locked row:
/// these are slow, and must not hold up other requests.
pub(super) struct Lanes {
    pub(super) connector: Connector,
    sessions: Box<[Lane]>,
    /// Each for the lane of its number.
    writes: Box<[Writes]>,
    loads: Batches<String, Rows>,
    /// What concerns a user's sessions, and what met a locked row.
    pub(super) aside: Lane,
    pub(super) background: Lane,
}

/// The rows that were found, by handle.
pub(super) type Rows = Arc<HashMap<String, Arc<Row>>>;

/// A session can be loaded by several callers.
impl Item for String {
    fn meets(&self, _other: &Self) -> bool {
        false
    }
}

/// Loads are over soon: two keep the server and the application busy.
const LOADS_IN_FLIGHT: usize = 2;

/// One gathers while the other waits for the disk. More of them would gather less.
const WRITES: usize = 2;

/// Ticks after which a silent connection is given up where statements may take long: half a minute, and ten.
const ASIDE: u32 = 60;
const BACKGROUND: u32 = 1_200;

impl Lanes {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        let lane = |ticks| Lane::new(connector.clone(), Patience::new(ticks));
        let writes = connections.min(WRITES);
        Self {
            sessions: (0..connections).map(|_| lane(GIVE_UP_AT)).collect(),
            writes: (0..writes)
                .map(|_| Writes::new(writes::IN_FLIGHT))
                .collect(),
            loads: Batches::new(LOADS_IN_FLIGHT),
            aside: lane(ASIDE),
            background: lane(BACKGROUND),
            connector,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Lane> {
        let rest = [&self.aside, &self.background];
        self.sessions.iter().chain(rest)
    }

    pub(super) fn of(&self, route: Route) -> &Lane {
        match route {
            Route::Session(handle) => &self.sessions[number(handle) % self.sessions.len()],
            Route::User => &self.aside,
            Route::Background => &self.background,
        }
    }

    pub(super) async fn on<T>(
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

    /// The row with this handle. It is loaded with others, unless a write to the session may be in flight whose caller
    /// went away: what a load answers after that has to hold.
    pub(super) async fn load(
        self: &Arc<Self>,
        sql: &Arc<str>,
        handle: Handle,
    ) -> Result<Option<Arc<Row>>, Refusal> {
        let (key, mut last) = (handle.to_string(), None);
        for lane in self.of_writes(handle) {
            if lane.may_have_abandoned() {
                last = Some(self.load_on(lane, sql, vec![key.clone()]).await?);
            }
        }
        if let Some(rows) = last {
            return Ok(rows.get(&key).cloned());
        }
        let (lanes, sent) = (Arc::clone(self), Arc::clone(sql));
        let send = move |handles: Arc<Pending<_>>| async move {
            let handles = handles.take();
            lanes.load_on(lanes.idlest(), &sent, handles).await
        };
        let asked = self.loads.ask(sql, key.clone(), send);
        Ok(asked.answer.await?.get(&key).cloned())
    }

    /// Whether it was stored, with others.
    pub(super) async fn write(
        self: &Arc<Self>,
        handle: Handle,
        write: &Arc<Write>,
        statements: &Arc<Statements>,
    ) -> Result<bool, Refusal> {
        let number = number(handle) % self.writes.len();
        let in_flight = self.sessions[number].enter();
        let (lanes, sent) = (Arc::clone(self), Arc::clone(statements));
        let send = move |writes: Arc<Pending<_>>| async move {
            let send = async |connection: &Connection| {
                let stored = async { writes::store(connection, &sent, writes.take()).await };
                writes.send(stored).await
            };
            lanes.on(&lanes.sessions[number], send).await
        };
        let (sql, item) = (&statements.replace.sql, Arc::clone(write));
        let asked = self.writes[number].ask(sql, item, send);
        let waiting = Waiting {
            pending: &asked.items,
            write,
            in_flight: Some(in_flight),
        };
        let stored = asked.answer.await;
        waiting.answered();
        Ok(stored?.contains(&write.handle))
    }

    async fn load_on(&self, lane: &Lane, sql: &str, handles: Vec<String>) -> Result<Rows, Refusal> {
        let handles = [(&handles as &(dyn ToSql + Sync), Type::TEXT_ARRAY)];
        let sent = async |connection: &Connection| connection.fetch(sql, &handles).await;
        let rows = self.on(lane, sent).await?;
        let by_handle = |row: Row| Ok((row.try_get(3)?, Arc::new(row)));
        let rows: Result<_, DriverError> = rows.into_iter().map(by_handle).collect();
        Ok(Arc::new(rows?))
    }

    /// Those on which there may be a write to this session: gathered, and by itself.
    fn of_writes(&self, handle: Handle) -> [&Lane; 2] {
        let gathered = &self.sessions[number(handle) % self.writes.len()];
        [gathered, self.of(Route::Session(handle))]
    }

    /// The lane of sessions with the fewest statements in flight: a load is not to wait behind writes, which wait for
    /// the disk.
    fn idlest(&self) -> &Lane {
        let lanes = self.sessions.iter();
        lanes
            .min_by_key(|lane| lane.in_flight())
            .expect("there is a lane")
    }
}

fn number(handle: Handle) -> usize {
    let [first, second, ..] = handle.as_bytes();
    usize::from(u16::from_ne_bytes([*first, *second]))
}
