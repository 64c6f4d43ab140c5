use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};

pub(super) const CREATED: &str = "wiz_session_created_total";
pub(super) const LOADED: &str = "wiz_session_loaded_total";
pub(super) const ENDED: &str = "wiz_session_ended_total";
pub(super) const COMMITS: &str = "wiz_session_commits_total";
pub(super) const REPLAYS: &str = "wiz_session_replays_total";
pub(super) const DISCARDED_WRITES: &str = "wiz_session_discarded_writes_total";
pub(super) const BAD_MACS: &str = "wiz_session_bad_macs_total";
pub(super) const STORE_DURATION: &str = "wiz_session_store_duration_seconds";
#[cfg(feature = "cache")]
pub(super) const CACHE_HITS: &str = "wiz_session_cache_hits_total";
#[cfg(feature = "cache")]
pub(super) const CACHE_MISSES: &str = "wiz_session_cache_misses_total";
#[cfg(feature = "cache")]
pub(super) const CACHE_INVALIDATIONS: &str = "wiz_session_cache_invalidations_total";
#[cfg(feature = "cache")]
const CACHE_AGE: &str = "wiz_session_cache_age_seconds";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_OFFERS: &str = "wiz_session_device_offers_total";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_REGISTRATIONS: &str = "wiz_session_device_registrations_total";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_REFRESHES: &str = "wiz_session_device_refreshes_total";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_CHALLENGES: &str = "wiz_session_device_challenges_total";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_REFUSALS: &str = "wiz_session_device_refusals_total";
#[cfg(feature = "dbsc")]
pub(super) const DEVICE_SKIPS: &str = "wiz_session_device_skips_total";
pub(super) const DEVICE_UNBOUND: &str = "wiz_session_device_unbound_requests_total";
const LIVE: &str = "wiz_session_live";

pub(super) fn describe() {
    let counters = [
        (CREATED, "Sessions that began"),
        (LOADED, "Requests that found a live session"),
        (ENDED, "Sessions that were ended before they expired"),
        (COMMITS, "Changes of sessions that were stored"),
        (REPLAYS, "Commits replayed after a conflict"),
        (
            DISCARDED_WRITES,
            "Changes dropped as their session had ended",
        ),
        (BAD_MACS, "Requests with a forged or damaged session cookie"),
    ];
    for (name, meaning) in counters {
        describe_counter!(name, Unit::Count, meaning);
    }
    describe_histogram!(STORE_DURATION, Unit::Seconds, "How long the store took");
    #[cfg(feature = "cache")]
    describe_cache();
    #[cfg(feature = "dbsc")]
    describe_device();
    describe_gauge!(LIVE, Unit::Count, "Live sessions when last counted");
}

#[cfg(feature = "cache")]
fn describe_cache() {
    let counters = [
        (CACHE_HITS, "Sessions that were read from the near cache"),
        (CACHE_MISSES, "Sessions that the near cache did not have"),
        (
            CACHE_INVALIDATIONS,
            "Sessions of the near cache that another process has changed or ended",
        ),
    ];
    for (name, meaning) in counters {
        describe_counter!(name, Unit::Count, meaning);
    }
    describe_histogram!(
        CACHE_AGE,
        Unit::Seconds,
        "How old what was read from the near cache was"
    );
}

#[cfg(feature = "dbsc")]
fn describe_device() {
    let counters = [
        (
            DEVICE_OFFERS,
            "Sessions that were offered to be bound to a device",
        ),
        (DEVICE_REGISTRATIONS, "Sessions that were bound to a device"),
        (DEVICE_REFRESHES, "Bound cookies that were renewed"),
        (
            DEVICE_CHALLENGES,
            "Refreshes that were answered by another challenge",
        ),
        (
            DEVICE_REFUSALS,
            "Registrations and refreshes that were refused",
        ),
        (
            DEVICE_SKIPS,
            "Requests that a browser sent without a refresh",
        ),
        (
            DEVICE_UNBOUND,
            "Requests that may not use their session, as its device has not vouched for them",
        ),
    ];
    for (name, meaning) in counters {
        describe_counter!(name, Unit::Count, meaning);
    }
}

#[cfg(feature = "cache")]
pub(super) fn cache_age(age: std::time::Duration) {
    metrics::histogram!(CACHE_AGE).record(age);
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 sessions")]
pub(super) fn live(sessions: u64) {
    gauge!(LIVE).set(sessions as f64);
}
