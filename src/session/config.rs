use std::time::Duration;

use crate::{
    commit::Policy,
    cookie::{Codec, CookieFinder, CookieOptions, SetCookieTemplate},
    drive::Queue,
    store::StoreClient,
    time::Clock,
};

/// What all requests through one layer share.
pub(crate) struct LayerConfig {
    pub(crate) store: StoreClient,
    pub(crate) codec: Codec,
    pub(crate) cookie: CookieOptions,
    pub(crate) cookie_name: CookieFinder,
    pub(crate) set_cookie: SetCookieTemplate,
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    pub(crate) max_bytes: usize,
    pub(crate) store_timeout: Duration,
    pub(crate) queue: Queue,
}
