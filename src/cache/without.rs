use std::sync::Arc;

use crate::{
    error::ConfigError, id::Handle, record::Record, store::StoreClient, time::Timestamp,
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

/// A load under way, of which nothing is kept.
pub(crate) struct Loading<'a>(std::marker::PhantomData<&'a ()>);

impl NearCache {
    pub(crate) fn get(&self, _handle: Handle, _now: Timestamp) -> Option<Record> {
        None
    }

    pub(crate) fn begin_load(&self, _handle: Handle) -> Loading<'_> {
        Loading(std::marker::PhantomData)
    }

    pub(crate) fn put(&self, _handle: Handle, _record: &Record, _now: Timestamp) {}

    pub(crate) fn touch(&self, _handle: Handle, _until: Timestamp) {}

    pub(crate) fn remove(&self, _handle: Handle) {}

    pub(crate) fn remove_user(&self, _user: &str) {}
}

impl Loading<'_> {
    pub(crate) fn keep(self, _record: Option<&Record>, _since: Timestamp) {}
}
