use redis::Value;

use super::reply::unexpected;
use crate::{error::Error, id::Handle};

/// An entry of a user's index.
pub(super) struct Entry {
    pub(super) handle: Handle,
    /// It may precede its session: that is being created, or its creation failed half-way.
    pub(super) is_pending: bool,
}

const PENDING: char = '+';

/// The member of a pending entry.
pub(super) fn pending(handle: Handle) -> String {
    format!("{PENDING}{handle}")
}

impl Entry {
    pub(super) fn parse(member: &Value) -> Result<Self, Error> {
        let parse = |member: &[u8]| {
            let member = str::from_utf8(member).ok()?;
            let (handle, is_pending) = match member.strip_prefix(PENDING) {
                Some(handle) => (handle, true),
                None => (member, false),
            };
            let handle = handle.parse().ok()?;
            Some(Self { handle, is_pending })
        };
        let Value::BulkString(member) = member else {
            return Err(unexpected());
        };
        parse(member).ok_or_else(|| Error::corrupt("its user's index is damaged"))
    }
}
