use super::base::{Base, Stored};
use crate::{id::Handle, record::Record, time::Timestamp};

/// How a request finds its session. A request that only reads needs nothing else; what it changes is in the
/// [`SessionState`](super::SessionState) that begins with this. By default there is no session.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(super) base: Base,
    /// When the session was found alive.
    pub(super) at: Option<Timestamp>,
    /// The session that the client came with, if it may not use it: its device has not vouched for the request.
    pub(super) unbound: Option<Handle>,
    /// The client came with a session that has ended.
    pub(super) came_with_ended: bool,
    /// The client's cookie was signed by a previous key.
    pub(super) outdated: bool,
    /// The record is from a near cache.
    pub(super) is_cached: bool,
}

impl Found {
    /// The client presented a session that is over.
    pub(crate) fn ended(&mut self) {
        self.came_with_ended = true;
    }

    /// The client presented a session that has moved to another id.
    pub(crate) fn moved(&mut self) {
        self.base = Base::Gone;
        self.came_with_ended = true;
    }

    /// The client presented a session that it may not use, as its device has not vouched for the request. It can be ended
    /// all the same.
    pub(crate) fn unbound(&mut self, handle: Handle) {
        self.base = Base::Gone;
        self.unbound = Some(handle);
    }

    /// The session is this one, found alive at this time.
    #[inline]
    pub(crate) fn live(&mut self, stored: Stored, at: Timestamp) {
        self.base = Base::Live(stored);
        self.at = Some(at);
        self.unbound = None;
    }

    /// The client's cookie has to be set again, signed by the present key.
    pub(crate) fn outdated(&mut self) {
        self.outdated = true;
    }

    /// The record is from a near cache. As it may be old, what "already there" means is decided against the record at the
    /// commit.
    pub(crate) fn cached(&mut self) {
        self.is_cached = true;
    }

    #[inline]
    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.base.live()
    }

    #[inline]
    pub(crate) fn record(&self) -> Option<&Record> {
        self.stored().map(|stored| &stored.record)
    }

    /// The raw JSON of a key's value.
    #[inline]
    pub(crate) fn raw(&self, key: &str) -> Option<&[u8]> {
        self.record()?.data().get(key)
    }
}
