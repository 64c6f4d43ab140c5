use std::{collections::HashSet, sync::Arc};

use tokio_postgres::{Error as DriverError, Row as PostgresRow, types::Type};

use super::{
    batches::{Batches, Item, Pending},
    connection::Connection,
    lane::Lane,
    parameters::{Parameter, borrowed, owned},
};
use crate::{
    id::Handle,
    record::Version,
    store::sql::{
        row::{self, Row},
        statements::Statements,
        value::Value,
    },
};

/// Gathers the writes of sessions: the server waits for the disk once for all of them.
pub(super) type Writes = Batches<Arc<Write>, Stored>;

/// While the server waits for the disk, the next ones gather.
pub(super) const IN_FLIGHT: usize = 1;

/// The handles of the sessions that were stored.
pub(super) type Stored = Arc<HashSet<String>>;

/// What is to be stored of a session, if it has the version that is expected.
pub(super) struct Write {
    pub(super) handle: String,
    pub(super) expected: i64,
    pub(super) row: Row<'static>,
}

impl Write {
    pub(super) fn new(handle: Handle, expected: Version, row: &Row<'_>) -> Arc<Self> {
        Arc::new(Self {
            handle: handle.to_string(),
            expected: row::number(expected),
            row: row.to_owned(),
        })
    }

    /// As the statement for one takes them.
    pub(super) fn values(&self) -> [Value<'_>; 7] {
        let [version, user_id, expires_at, tombstone, record] = self.row.values();
        let (handle, expected) = (self.handle.as_str().into(), self.expected.into());
        [
            handle, expected, version, user_id, expires_at, tombstone, record,
        ]
    }
}

/// A statement writes a row once.
impl Item for Arc<Write> {
    fn meets(&self, other: &Self) -> bool {
        self.handle == other.handle
    }
}

/// A write that waits for its answer. If its caller goes away, it is taken back or abandoned.
pub(super) struct Waiting<'a> {
    pub(super) lane: &'a Lane,
    pub(super) handle: Handle,
    pub(super) pending: &'a Pending<Arc<Write>>,
    pub(super) write: &'a Arc<Write>,
    pub(super) is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let is_it = |write: &Arc<Write>| Arc::ptr_eq(write, self.write);
        if !self.is_answered && !self.pending.take_back(is_it) {
            let change = &self.pending.progress;
            self.lane.abandoned.add(self.handle, change);
        }
    }
}

/// Stores all of them by one statement. One alone is stored by the statement for one, which is the cheaper one then.
pub(super) async fn store(
    connection: &Connection,
    statements: &Statements,
    mut writes: Vec<Arc<Write>>,
) -> Result<Stored, DriverError> {
    // The order in which rows are locked, so that two processes do not wait for one another.
    writes.sort_unstable_by(|one, other| one.handle.cmp(&other.handle));
    if let [write] = &*writes {
        let (statement, values) = (&statements.replace, owned(&write.values()));
        let changed = connection
            .execute(&statement.sql, &borrowed(&values))
            .await?;
        let stored = (changed > 0).then(|| write.handle.clone());
        return Ok(Arc::new(stored.into_iter().collect()));
    }
    let columns = Columns::of(&writes);
    let rows = connection
        .fetch(&statements.replace_several.sql, &columns.parameters())
        .await?;
    let handle = |row: PostgresRow| row.try_get(0);
    Ok(Arc::new(
        rows.into_iter().map(handle).collect::<Result<_, _>>()?,
    ))
}

/// Values of one kind each, as arrays are sent.
struct Columns<'a> {
    handles: Vec<&'a str>,
    expected: Vec<i64>,
    versions: Vec<i64>,
    users: Vec<Option<&'a str>>,
    expiries: Vec<i64>,
    tombstones: Vec<bool>,
    records: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(writes: &'a [Arc<Write>]) -> Self {
        let rows = || writes.iter().map(|write| &write.row);
        Self {
            handles: writes.iter().map(|write| &*write.handle).collect(),
            expected: writes.iter().map(|write| write.expected).collect(),
            versions: rows().map(|row| row.version).collect(),
            users: rows().map(|row| row.user_id.as_deref()).collect(),
            expiries: rows().map(|row| row.expires_at).collect(),
            tombstones: rows().map(|row| row.tombstone).collect(),
            records: rows().map(|row| &*row.record).collect(),
        }
    }

    fn parameters(&self) -> [Parameter<'_>; 7] {
        [
            (&self.handles, Type::TEXT_ARRAY),
            (&self.expected, Type::INT8_ARRAY),
            (&self.versions, Type::INT8_ARRAY),
            (&self.users, Type::TEXT_ARRAY),
            (&self.expiries, Type::INT8_ARRAY),
            (&self.tombstones, Type::BOOL_ARRAY),
            (&self.records, Type::TEXT_ARRAY),
        ]
    }
}
