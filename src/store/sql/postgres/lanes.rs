use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio_postgres::{Error as DriverError, Row, types::Type};

use super::{
    batches::{Batches, Item, Pending},
    connection::{Connection, Patience},
    connector::Connector,
    failure::Refusal,
    lane::Lane,
    writes::{self, Waiting, Write, Writes},
};
use crate::{
    id::Handle,
    store::sql::{executor::Route, statements::Statements},
};

/// A few connections, each used by many callers in turn.
///
/// What concerns a session takes a connection that its handle says, so that a load can be sent after a write of which
/// nothing is known. Loads take the one that the fewest wait for, and writes one of the first: [several at a
/// time](super::batches). Two more connections are for statements that concern many sessions or wait for a locked row:
/// these are slow, and must not hold up other requests.
pub(super) struct Lanes {
    pub(super) connector: Connector,
    sessions: Box<[Arc<Lane>]>,
    /// Each for the lane of its number.
    writes: Box<[Writes]>,
    loads: Batches<String, Rows>,
    /// What concerns a user's sessions, and what met a locked row.
    pub(super) aside: Arc<Lane>,
    pub(super) background: Arc<Lane>,
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

/// How long an answer may take, the longer where statements are slow.
const PATIENCE: Duration = Duration::from_millis(2_500);
const PATIENCE_ASIDE: Duration = Duration::from_secs(30);
const PATIENCE_IN_BACKGROUND: Duration = Duration::from_secs(600);

impl Lanes {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        let lane = |limit| Arc::new(Lane::new(connector.clone(), Patience::new(limit)));
        let writes = connections.min(WRITES);
        Self {
            sessions: (0..connections).map(|_| lane(PATIENCE)).collect(),
            writes: (0..writes)
                .map(|_| Writes::new(writes::IN_FLIGHT))
                .collect(),
            loads: Batches::new(LOADS_IN_FLIGHT),
            aside: lane(PATIENCE_ASIDE),
            background: lane(PATIENCE_IN_BACKGROUND),
            connector,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Lane>> {
        let rest = [&self.aside, &self.background];
        self.sessions.iter().chain(rest)
    }

    pub(super) fn of(&self, route: Route) -> &Arc<Lane> {
        match route {
            Route::Session(handle) => &self.sessions[number(handle) % self.sessions.len()],
            Route::User => &self.aside,
            Route::Background => &self.background,
        }
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
            if lane.abandoned.has(handle) {
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
        let lane = &self.sessions[number];
        let (own, sent) = (Arc::clone(lane), Arc::clone(statements));
        let send = move |writes: Arc<Pending<_>>| async move {
            let progress = Arc::clone(&writes.progress);
            let store = async move |connection: Arc<Connection>| {
                writes::store(&connection, &sent, writes.take()).await
            };
            // Which of them are abandoned, their callers know.
            own.run(progress, None, store).await
        };
        let (sql, item) = (&statements.replace.sql, Arc::clone(write));
        let asked = self.writes[number].ask(sql, item, send);
        let mut waiting = Waiting {
            lane,
            handle,
            pending: &asked.items,
            write,
            is_answered: false,
        };
        let stored = asked.answer.await;
        waiting.is_answered = true;
        Ok(stored?.contains(&write.handle))
    }

    async fn load_on(
        &self,
        lane: &Arc<Lane>,
        sql: &Arc<str>,
        handles: Vec<String>,
    ) -> Result<Rows, Refusal> {
        let sql = Arc::clone(sql);
        let load = async move |connection: Arc<Connection>| {
            let rows = connection
                .fetch(&sql, &[(&handles, Type::TEXT_ARRAY)])
                .await?;
            let by_handle = |row: Row| Ok((row.try_get(3)?, Arc::new(row)));
            let rows: Result<_, DriverError> = rows.into_iter().map(by_handle).collect();
            Ok(Arc::new(rows?))
        };
        lane.run(Arc::default(), None, load).await
    }

    /// Those on which there may be a write to this session: gathered, by itself, and since the row was locked.
    fn of_writes(&self, handle: Handle) -> [&Arc<Lane>; 3] {
        let gathered = &self.sessions[number(handle) % self.writes.len()];
        [gathered, self.of(Route::Session(handle)), &self.aside]
    }

    /// The lane of sessions that the fewest statements wait for: a load is not to wait behind writes, which wait for
    /// the disk.
    fn idlest(&self) -> &Arc<Lane> {
        let lanes = self.sessions.iter();
        lanes
            .min_by_key(|lane| lane.asked())
            .expect("there is a lane")
    }
}

fn number(handle: Handle) -> usize {
    let [first, second, ..] = handle.as_bytes();
    usize::from(u16::from_ne_bytes([*first, *second]))
}
