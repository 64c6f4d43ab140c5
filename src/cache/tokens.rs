use std::collections::HashMap;

use parking_lot::Mutex;

use crate::id::Handle;

/// The loads that are under way, so that none of them fills the cache with what is old by then: an invalidation voids the
/// loads of its session.
#[derive(Default)]
pub(super) struct Tokens {
    shards: [Mutex<HashMap<Handle, Token>>; SHARDS],
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Token {
    loads: u32,
    is_void: bool,
}

impl Tokens {
    pub(super) fn begin(&self, handle: Handle) {
        self.shard(handle).lock().entry(handle).or_default().loads += 1;
    }

    /// The load is over. If its token is good, what it found is kept, and no invalidation comes in between.
    pub(super) fn end(&self, handle: Handle, keep: impl FnOnce()) {
        let mut shard = self.shard(handle).lock();
        let Some(token) = shard.get_mut(&handle) else {
            return;
        };
        if !token.is_void {
            keep();
        }
        token.loads -= 1;
        if token.loads == 0 {
            shard.remove(&handle);
        }
    }

    /// Voids the loads of this session, then does this.
    pub(super) fn void(&self, handle: Handle, then: impl FnOnce()) {
        let mut shard = self.shard(handle).lock();
        if let Some(token) = shard.get_mut(&handle) {
            token.is_void = true;
        }
        then();
    }

    /// Voids all loads.
    pub(super) fn void_all(&self) {
        for shard in &self.shards {
            for token in shard.lock().values_mut() {
                token.is_void = true;
            }
        }
    }

    fn shard(&self, handle: Handle) -> &Mutex<HashMap<Handle, Token>> {
        // A handle is a digest: each of its bytes is as good as a hash.
        &self.shards[usize::from(handle.as_bytes()[1]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalidation_voids_the_loads_under_way_and_no_later_one() {
        let tokens = Tokens::default();
        let handle = Handle::from_bytes([7; 16]);
        let kept = || {
            let mut kept = false;
            tokens.end(handle, || kept = true);
            kept
        };
        tokens.begin(handle);
        tokens.begin(handle);
        tokens.void(handle, || {});
        assert_eq!([kept(), kept()], [false, false]);
        tokens.begin(handle);
        assert!(kept());
        tokens.begin(handle);
        tokens.void_all();
        assert!(!kept());
        assert!(tokens.shards.iter().all(|shard| shard.lock().is_empty()));
    }
}
