//! Which sessions there can be, by what the clients were told.

use std::collections::{HashMap, hash_map::Entry};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wiz_session::Handle;

#[derive(Default)]
pub(crate) struct Reckoning(Mutex<Sessions>);

#[derive(Default)]
pub(crate) struct Sessions {
    /// Those that clients were told of, and whether they were told of the end as well.
    known: HashMap<Handle, bool>,
    /// Requests which may have begun one that nobody was told of.
    doubtful: u64,
}

impl Reckoning {
    pub(crate) fn began(&self, cookie: &str) {
        // A cookie may be sent again.
        self.0.lock().known.entry(handle(cookie)).or_insert(false);
    }

    pub(crate) fn ended(&self, cookie: &str) {
        if let Entry::Occupied(mut session) = self.0.lock().known.entry(handle(cookie)) {
            session.insert(true);
        }
    }

    pub(crate) fn may_have_begun(&self) {
        self.0.lock().doubtful += 1;
    }

    pub(crate) fn finish(&self) -> Sessions {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn ended(&self) -> usize {
        self.known.values().filter(|ended| **ended).count()
    }

    /// Of sessions that are in the store.
    pub(crate) fn assert_may_live(&self, live: &[Handle]) {
        let over = live
            .iter()
            .filter(|handle| self.known.get(handle) == Some(&true));
        let over: Vec<_> = over.collect();
        assert!(over.is_empty(), "they had ended, and live: {over:?}");
        let unknown = live
            .iter()
            .filter(|handle| !self.known.contains_key(handle));
        let unknown = unknown.count() as u64;
        assert!(
            unknown <= self.doubtful,
            "nobody was told of {unknown} sessions, and only {} requests may have begun one",
            self.doubtful
        );
    }
}

/// A session's public name: the hash of its id, which is the end of its cookie, cut to 128 bits.
fn handle(cookie: &str) -> Handle {
    let id = &cookie[cookie.len() - 32..];
    let digest = Sha256::digest(id);
    let text: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text.parse().expect("32 digits")
}
