use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{id::Handle, record::Version};

/// The calls under way whose records may be kept, so that none of them fills the cache with what is old by then: what is
/// heard of a session meanwhile says how new a record has to be.
#[derive(Default)]
pub(super) struct Tokens {
    shards: [Mutex<HashMap<Handle, Token>>; SHARDS],
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Token {
    calls: u32,
    /// No older record is kept.
    least: u64,
}

/// No record has this version.
const NONE: u64 = u64::MAX;

impl Tokens {
    pub(super) fn begin(&self, handle: Handle) {
        self.shard(handle).lock().entry(handle).or_default().calls += 1;
    }

    /// The call is over. If the record that it `found` is new enough, it is kept, and nothing is heard in between.
    pub(super) fn end(&self, handle: Handle, found: Option<Version>, keep: impl FnOnce()) {
        let mut shard = self.shard(handle).lock();
        let Some(token) = shard.get_mut(&handle) else {
            return;
        };
        let found = found.map(Version::get);
        if let Some(found) = found.filter(|found| *found >= token.least) {
            token.least = found;
            keep();
        }
        token.calls -= 1;
        if token.calls == 0 {
            shard.remove(&handle);
        }
    }

    /// The session has this version. Then does this.
    pub(super) fn outdate(&self, handle: Handle, version: Version, then: impl FnOnce()) {
        self.require(handle, version.get(), then);
    }

    /// Nothing that the calls for this session find is kept. Then does this.
    pub(super) fn void(&self, handle: Handle, then: impl FnOnce()) {
        self.require(handle, NONE, then);
    }

    /// Nothing that any call finds is kept.
    pub(super) fn void_all(&self) {
        for shard in &self.shards {
            for token in shard.lock().values_mut() {
                token.least = NONE;
            }
        }
    }

    fn require(&self, handle: Handle, least: u64, then: impl FnOnce()) {
        let mut shard = self.shard(handle).lock();
        if let Some(token) = shard.get_mut(&handle) {
            token.least = token.least.max(least);
        }
        then();
    }

    fn shard(&self, handle: Handle) -> &Mutex<HashMap<Handle, Token>> {
        // A handle is a digest: each of its bytes is as good as a hash.
        &self.shards[usize::from(handle.as_bytes()[1]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle::from_bytes([7; 16]);

    fn is_kept(tokens: &Tokens, version: u64) -> bool {
        let mut kept = false;
        tokens.end(HANDLE, Some(Version::new(version)), || kept = true);
        kept
    }

    #[test]
    fn an_end_voids_the_calls_under_way_and_no_later_one() {
        let tokens = Tokens::default();
        tokens.begin(HANDLE);
        tokens.begin(HANDLE);
        tokens.void(HANDLE, || {});
        assert_eq!([1, 2].map(|version| is_kept(&tokens, version)), [false; 2]);
        tokens.begin(HANDLE);
        assert!(is_kept(&tokens, 1));
        tokens.begin(HANDLE);
        tokens.void_all();
        assert!(!is_kept(&tokens, 1));
        assert!(tokens.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn of_what_is_under_way_at_a_change_only_that_version_is_kept() {
        let tokens = Tokens::default();
        tokens.begin(HANDLE);
        tokens.begin(HANDLE);
        tokens.outdate(HANDLE, Version::new(2), || {});
        assert!(!is_kept(&tokens, 1));
        assert!(is_kept(&tokens, 2), "its own echo");
    }

    #[test]
    fn what_is_older_than_what_was_kept_is_not() {
        let tokens = Tokens::default();
        tokens.begin(HANDLE);
        tokens.begin(HANDLE);
        assert!(is_kept(&tokens, 2));
        assert!(!is_kept(&tokens, 1));
    }
}
