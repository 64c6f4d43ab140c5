use std::sync::{Arc, atomic::AtomicBool};

use parking_lot::Mutex;

use super::{config::LayerConfig, shared::LazyShared};
use crate::{
    commit::{Found, Stored},
    cookie::{CookieHeader, Verified},
    error::Error,
    id::Handle,
    observe,
    record::Record,
    time::Timestamp,
    watch::Watch,
};

/// What there is of a session once it was asked for.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) found: Found,
    /// What the request makes of it.
    pub(super) shared: LazyShared,
    /// Held across I/O, so that `save` and its like go one after the other.
    pub(super) io: tokio::sync::Mutex<()>,
    /// The client sent a cookie of our name, of whatever worth.
    pub(super) presented: bool,
    /// The application has given the client a token instead.
    pub(super) has_given_token: AtomicBool,
    /// The client will drop a `Secure` cookie.
    pub(super) is_insecure: AtomicBool,
    /// When the store was asked, if it was.
    pub(super) at: Option<Timestamp>,
    pub(super) lookups: Lookups,
    /// The registration with the feed, made by the first `ended` or `changed`.
    pub(super) watch: Mutex<Option<Arc<Watch>>>,
}

/// Looks for the session of a request: the one that was `named`, or that of the first cookie which has one. If `is_gated`,
/// a session that is bound to a device is none without that device's cookie.
pub(super) async fn load(
    config: &LayerConfig,
    cookies: &CookieHeader,
    mut named: Option<&Verified>,
    is_gated: bool,
) -> Result<Box<Loaded>, Error> {
    // Filled in where it stays.
    let mut loaded = Box::<Loaded>::default();
    let mut forged = false;
    let mut presented = config.cookie.presented(cookies);
    loop {
        let verified = match named.take() {
            Some(named) => *named,
            None => match presented.next() {
                None => break,
                Some(value) => {
                    loaded.presented = true;
                    let Ok(verified) = value else {
                        forged = true;
                        continue;
                    };
                    verified
                }
            },
        };
        let (id, handle) = (verified.id, verified.handle);
        if !loaded.lookups.allow(handle) {
            continue;
        }
        let now = *loaded.at.get_or_insert_with(|| config.clock.timestamp());
        // What was kept may be from before the session was bound, so none is turned away for it.
        let kept = config
            .cache
            .get(handle, now, |record| is_live(config, record, now))
            .filter(|record| !is_gated || config.device.admits(record, cookies, now));
        let is_cached = kept.is_some();
        let record = match kept {
            Some(record) => Some(record),
            None => {
                let fill = config.cache.begin_fill(handle);
                let answer = config.store.load(handle).answer().await;
                let record = answer.inspect_err(|error| observe::load_failed(handle, error))?;
                fill.keep(record.as_ref(), now);
                record
            }
        };
        let found = &mut loaded.found;
        match record.filter(|record| is_live(config, record, now)) {
            None => {
                found.ended();
                observe::unknown_id(handle);
            }
            Some(record) if record.is_tombstone() => found.moved(),
            Some(record)
                if is_gated && !is_cached && !config.device.admits(&record, cookies, now) =>
            {
                found.unbound(handle);
                observe::device_unbound(handle);
            }
            Some(record) => {
                observe::loaded();
                // A token is renewed by the application alone.
                if verified.outdated && !cookies.is_bearer() {
                    found.outdated();
                }
                if is_cached {
                    found.cached();
                }
                found.live(Stored { id, handle, record }, now);
                break;
            }
        }
    }
    if forged {
        observe::bad_mac();
    }
    Ok(loaded)
}

// Not a closure, which the future would hold while it waits: one of a kilobyte is a slower allocation.
fn is_live(config: &LayerConfig, record: &Record, now: Timestamp) -> bool {
    config.policy.expiry.is_live(record, now)
}

/// The sessions that a client named: each is looked up once, and no more than three.
#[derive(Default)]
pub(super) struct Lookups([Option<Handle>; 3]);

impl Lookups {
    fn allow(&mut self, handle: Handle) -> bool {
        let Self(handles) = self;
        match handles
            .iter()
            .position(|other| *other == Some(handle) || other.is_none())
        {
            Some(place) => handles[place].replace(handle).is_none(),
            None => false,
        }
    }

    fn contains(&self, handle: Handle) -> bool {
        self.0.contains(&Some(handle))
    }
}

/// The sessions of further cookies that the client sent, which were not looked up: at most two.
pub(super) fn others(config: &LayerConfig, cookies: &CookieHeader, known: &Lookups) -> Vec<Handle> {
    const MOST: usize = 2;
    let mut others = Vec::new();
    let verified = config.cookie.presented(cookies).flatten();
    for handle in verified.map(|verified| verified.handle) {
        if !known.contains(handle) && !others.contains(&handle) {
            others.push(handle);
            if others.len() == MOST {
                break;
            }
        }
    }
    others
}
