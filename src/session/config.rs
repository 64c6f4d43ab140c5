use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use crate::{
    cache::NearCache,
    commit::Policy,
    cookie::SessionCookie,
    device::DeviceGate,
    drive::{Queue, Revoker},
    store::StoreClient,
    time::Clock,
    watch::Watchers,
};

/// What all requests through one layer share.
pub(crate) struct LayerConfig {
    pub(crate) store: StoreClient,
    pub(crate) cookie: SessionCookie,
    pub(crate) device: DeviceGate,
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    pub(crate) max_bytes: usize,
    pub(crate) store_timeout: Duration,
    pub(crate) queue: Queue,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) cache: Arc<NearCache>,
    pub(crate) revoker: Arc<Revoker>,
    pub(crate) max_sessions_per_user: Option<NonZeroUsize>,
}
