#[cfg(feature = "metrics")]
use std::time::Instant;

use crate::error::Error;

/// Measures the duration of one store call. Zero-sized, and a no-op, without the feature `metrics`.
#[must_use]
pub(crate) struct Timer {
    #[cfg(feature = "metrics")]
    method: &'static str,
    #[cfg(feature = "metrics")]
    start: Instant,
}

impl Timer {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
    #[inline]
    pub(crate) fn start(method: &'static str) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            method,
            #[cfg(feature = "metrics")]
            start: Instant::now(),
        }
    }

    /// Records the duration and passes the store's answer on.
    #[inline]
    pub(crate) fn stop<T>(self, answer: Result<T, Error>) -> Result<T, Error> {
        #[cfg(feature = "metrics")]
        {
            let result = if answer.is_ok() { "ok" } else { "error" };
            metrics::histogram!(super::metrics::STORE_DURATION, "method" => self.method, "result" => result)
                .record(self.start.elapsed());
        }
        answer
    }
}

#[cfg(not(feature = "metrics"))]
const _: () = assert!(size_of::<Timer>() == 0, "it is nothing");
