use std::{
    ops::RangeInclusive,
    sync::{Arc, Weak},
    time::Duration,
};

use super::NearCache;
use crate::{
    error::ConfigError,
    store::{FeedSink, StoreClient},
    watch::Watchers,
};

/// What a layer's cache is to be.
pub(crate) struct CacheSettings {
    pub(crate) cache_for: Option<Duration>,
    pub(crate) max_bytes: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            cache_for: None,
            max_bytes: 64 * 1024 * 1024,
        }
    }
}

impl CacheSettings {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        const CACHE_FOR: RangeInclusive<Duration> =
            Duration::from_secs(1)..=Duration::from_secs(60);
        const MIN_BYTES: usize = 1024 * 1024;
        if let Some(cache_for) = self.cache_for.filter(|time| !CACHE_FOR.contains(time)) {
            return Err(ConfigError::new(format!(
                "cache_for is {cache_for:?}: give `.cache_for(…)` from a second to a minute"
            )));
        }
        if self.max_bytes < MIN_BYTES {
            return Err(ConfigError::new(format!(
                "cache_bytes is {}: give `.cache_bytes(…)` at least 1 MiB",
                self.max_bytes
            )));
        }
        Ok(())
    }

    /// The cache of a layer with this store, which has the watchers tell it what the store pushes.
    pub(crate) fn open(&self, store: &StoreClient, watchers: &Arc<Watchers>) -> Arc<NearCache> {
        let Some(cache_for) = self.cache_for.filter(|_| !store.is_immediate()) else {
            return Arc::new(NearCache::OFF);
        };
        let cache = Arc::new(NearCache::new(cache_for, self.max_bytes, watchers));
        watchers.tell(Arc::downgrade(&cache) as Weak<dyn FeedSink>);
        cache
    }
}
