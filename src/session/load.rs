use parking_lot::Mutex;

use super::{
    base::{Base, Live},
    shared::Shared,
    state::SessionState,
};
use crate::{
    cookie::CookieHeader,
    error::Error,
    expiry::Expiry,
    id::Handle,
    observe::{self, Timer},
    time::Timestamp,
};

/// What there is of a session once it was asked for.
pub(super) struct Loaded {
    pub(super) work: Mutex<SessionState>,
    /// Held across I/O, so that `save` and its like go one after the other.
    pub(super) io: tokio::sync::Mutex<()>,
    /// The client sent a cookie of our name, of whatever worth.
    pub(super) presented: bool,
    /// When the store was asked, if it was.
    pub(super) at: Option<Timestamp>,
}

/// Looks for the session of a request: that of the first cookie which has one.
pub(super) async fn load(shared: &Shared, cookies: &CookieHeader) -> Result<Box<Loaded>, Error> {
    // Filled in where it stays.
    let mut loaded = Box::new(Loaded {
        work: Mutex::new(SessionState::new(shared.max_bytes)),
        io: tokio::sync::Mutex::default(),
        presented: false,
        at: None,
    });
    let mut lookups = Lookups::default();
    let mut forged = false;
    for presented in shared.cookie.presented(cookies) {
        loaded.presented = true;
        let Ok(verified) = presented else {
            forged = true;
            continue;
        };
        let (id, handle) = (verified.id, verified.handle);
        if !lookups.allow(handle) {
            continue;
        }
        let now = *loaded.at.get_or_insert_with(|| shared.clock.now());
        let answer = shared
            .ask(Timer::start("load"), shared.store.load(handle))
            .await;
        let record = answer.inspect_err(|error| observe::load_failed(handle, error))?;
        match record.filter(|record| Expiry::is_live(record, now)) {
            None => observe::unknown_id(handle),
            Some(record) if record.is_tombstone() => loaded.work.get_mut().origin = Base::Gone,
            Some(record) => {
                observe::loaded();
                let work = loaded.work.get_mut();
                work.open(Live { id, handle, record }, verified.outdated);
                break;
            }
        }
    }
    if forged {
        observe::bad_mac();
    }
    Ok(loaded)
}

/// The sessions that a client named: each is looked up once, and no more than three.
#[derive(Default)]
struct Lookups([Option<Handle>; 3]);

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
}
