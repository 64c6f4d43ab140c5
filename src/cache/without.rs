use std::sync::Arc;

use crate::{
    error::ConfigError,
    id::Handle,
    record::{Record, Version},
    store::StoreClient,
    time::Timestamp,
    watch::Watchers,
};

#[derive(Default)]
pub(crate) struct CacheSettings {}

impl CacheSettings {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    pub(crate) fn open(&self, _store: &StoreClient, _watchers: &Arc<Watchers>) -> Arc<NearCache> {
        Arc::new(NearCache)
    }
}

/// Keeps nothing.
pub(crate) struct NearCache;

/// A call under way, of which nothing is kept.
pub(crate) struct Fill<'a>(std::marker::PhantomData<&'a ()>);

impl NearCache {
    pub(crate) fn get(
        &self,
        _handle: Handle,
        _now: Timestamp,
        _is_live: impl FnOnce(&Record) -> bool,
    ) -> Option<Record> {
        None
    }

    pub(crate) fn begin_fill(&self, _handle: Handle) -> Fill<'_> {
        Fill(std::marker::PhantomData)
    }

    pub(crate) fn touch(&self, _handle: Handle, _until: Timestamp) {}

    pub(crate) fn remove(&self, _handle: Handle) {}

    pub(crate) fn remove_user(&self, _user: &str) {}
}

impl Fill<'_> {
    pub(crate) fn keep(self, _record: Option<&Record>, _since: Timestamp) {}

    pub(crate) fn keep_stored(self, _record: &Record, _version: Version, _since: Timestamp) {}
}
