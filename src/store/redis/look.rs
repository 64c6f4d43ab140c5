use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore, advice, connection::Request, encoding::RecordHeader, lane::Lane, reply::unexpected,
};
use crate::{error::Error, id::Handle, store::Status};

/// What a reply takes on its way, about.
const REPLY_BYTES: usize = RecordHeader::LAST + 8;

impl RedisStore {
    /// Reads the heads of these records, pipelined. One that is damaged is there, and fails none of the others.
    pub(super) async fn look_at(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        let lane = Lane::of_bytes(handles.len() * REPLY_BYTES);
        try_join_all(handles.iter().map(|handle| self.status(*handle, lane))).await
    }

    async fn status(&self, handle: Handle, lane: Lane) -> Result<Option<Status>, Error> {
        let key = self.keys.record(handle);
        let mut range = redis::cmd("GETRANGE");
        range.arg(&key).arg(0).arg(RecordHeader::LAST);
        let sent = self.connection.send(Request::One(&range), None, lane).await;
        let wrong_type = |error| advice::says(error, "WRONGTYPE");
        if sent.result.as_ref().is_err_and(wrong_type) {
            return Ok(Some(Status::UNREADABLE));
        }
        let Value::BulkString(head) = self.value(sent)? else {
            return Err(unexpected());
        };
        if let Some(header) = RecordHeader::decode(&head) {
            let RecordHeader {
                version,
                expires_at,
                is_tombstone,
            } = header;
            return Ok(Some(Status::new(version, expires_at.into(), is_tombstone)));
        }
        let is_missing = head.is_empty()
            && self.send_by(lane, redis::cmd("EXISTS").arg(&key)).await? == Value::Int(0);
        Ok((!is_missing).then_some(Status::UNREADABLE))
    }
}
