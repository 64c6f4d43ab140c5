//! All events and metrics of the crate. Keeping them here means that no other file depends on `tracing` or `metrics`
//! being enabled, and that none can log an id, cookie, key or value. `docs/observability.md` explains each of them.

#[cfg(feature = "metrics")]
mod metrics;
mod timer;

pub(crate) use self::{causes::*, timer::Timer};
use crate::{error::Error, id::Handle};

macro_rules! event {
    ($level:ident, $($rest:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "wiz_session", $($rest)*)
    };
}

macro_rules! count {
    ($metric:ident, $by:expr $(, $label:literal => $value:expr)?) => {
        #[cfg(feature = "metrics")]
        ::metrics::counter!(metrics::$metric $(, $label => $value)?).increment($by)
    };
}

/// Describes the metrics to the recorder, if one is installed.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    metrics::describe();
}

/// One function per event, named by its cause.
#[cfg_attr(
    not(all(feature = "tracing", feature = "metrics")),
    expect(unused_variables)
)]
mod causes {
    use super::*;

    pub(crate) fn loaded() {
        count!(LOADED, 1);
    }

    pub(crate) fn created(handle: Handle) {
        event!(debug, %handle, "session created");
        count!(CREATED, 1);
    }

    pub(crate) fn regenerated(from: Handle, to: Handle) {
        event!(debug, %from, %to, "session regenerated");
    }

    pub(crate) fn ended(handle: Handle) {
        event!(debug, %handle, "session ended");
        count!(ENDED, 1);
    }

    pub(crate) fn revoked(sessions: u64) {
        event!(info, sessions, "sessions revoked");
        count!(ENDED, sessions);
    }

    pub(crate) fn unknown_id(handle: Handle) {
        event!(debug, %handle, "cookie of an unknown session");
    }

    pub(crate) fn bad_mac() {
        event!(warn, "session cookie with a bad MAC");
        count!(BAD_MACS, 1);
    }

    pub(crate) fn cookie_not_kept() {
        event!(
            warn,
            "session cookie sent to a page of plain HTTP, whose browser drops it"
        );
    }

    pub(crate) fn discarded() {
        event!(info, "write discarded: the session ended meanwhile");
        count!(DISCARDED_WRITES, 1);
    }

    /// A commit was stored: a session created, changed, moved to a new id or ended.
    pub(crate) fn committed() {
        count!(COMMITS, 1);
    }

    /// A conflict: the operations are replayed on the record that a faster request stored.
    pub(crate) fn replayed() {
        count!(REPLAYS, 1);
    }

    pub(crate) fn counted(sessions: u64) {
        #[cfg(feature = "metrics")]
        metrics::live(sessions);
    }

    pub(crate) fn unsaved(handle: Option<Handle>) {
        event!(
            warn,
            ?handle,
            "session changed after the response head and dropped without save()"
        );
    }

    pub(crate) fn touch_failed(handle: Handle, error: &Error) {
        event!(warn, %handle, error = kind(error), source = source(error), "session not touched");
    }

    pub(crate) fn load_failed(handle: Handle, error: &Error) {
        event!(error, %handle, error = kind(error), source = source(error), "session not loaded");
    }

    pub(crate) fn swept(sessions: u64) {
        event!(debug, sessions, "expired sessions swept");
    }

    pub(crate) fn sweep_failed(error: &Error) {
        event!(
            warn,
            error = kind(error),
            source = source(error),
            "expired sessions not swept"
        );
    }

    /// A request read a record that this process has had for so long.
    #[cfg(feature = "cache")]
    pub(crate) fn cache_hit(age: std::time::Duration) {
        count!(CACHE_HITS, 1);
        #[cfg(feature = "metrics")]
        metrics::cache_age(age);
    }

    #[cfg(feature = "cache")]
    pub(crate) fn cache_miss() {
        count!(CACHE_MISSES, 1);
    }

    /// Another process has changed or ended a session.
    #[cfg(feature = "cache")]
    pub(crate) fn cache_invalidated() {
        count!(CACHE_INVALIDATIONS, 1);
    }

    pub(crate) fn limit_not_enforced(error: &Error) {
        event!(
            warn,
            error = kind(error),
            source = source(error),
            "oldest sessions of a user not ended"
        );
    }

    pub(crate) fn look_failed(error: &Error) {
        event!(
            warn,
            error = kind(error),
            source = source(error),
            "watched sessions not looked at"
        );
    }

    /// It was altered, is too old or from the future, or is signed by a key that is not known.
    #[cfg(feature = "flask")]
    pub(crate) fn flask_refused() {
        event!(debug, "Flask cookie refused");
    }

    #[cfg(feature = "flask")]
    pub(crate) fn flask_too_large() {
        event!(warn, "session too large for a Flask cookie");
    }

    #[cfg(feature = "flask")]
    pub(crate) fn flask_failed(error: &Error) {
        event!(
            error,
            error = kind(error),
            source = source(error),
            "session not shared with Flask"
        );
    }

    /// The request may not use the session, whose device has not vouched for it.
    pub(crate) fn device_unbound(handle: Handle) {
        event!(info, %handle, "session not used: its device has not vouched for the request");
        count!(DEVICE_UNBOUND, 1);
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn device_offered(handle: Handle) {
        event!(debug, %handle, "session offered to be bound to a device");
        count!(DEVICE_OFFERS, 1);
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn device_registered(handle: Handle) {
        event!(info, %handle, "session bound to a device");
        count!(DEVICE_REGISTRATIONS, 1);
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn device_refreshed(handle: Handle) {
        event!(debug, %handle, "bound cookie refreshed");
        count!(DEVICE_REFRESHES, 1);
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn device_challenged() {
        event!(debug, "device challenged again");
        count!(DEVICE_CHALLENGES, 1);
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn device_refused(reason: &'static str) {
        event!(warn, reason, "device refused");
        count!(DEVICE_REFUSALS, 1, "reason" => reason);
    }

    /// A browser did not ask for a new bound cookie before this request.
    #[cfg(feature = "dbsc")]
    pub(crate) fn device_skipped(reason: &'static str) {
        event!(
            info,
            reason,
            "refresh of a bound cookie skipped by the browser"
        );
        count!(DEVICE_SKIPS, 1, "reason" => reason);
    }

    pub(crate) fn commit_failed(error: &Error) {
        event!(
            error,
            error = kind(error),
            source = source(error),
            "session not committed"
        );
    }
}

/// The error's kind. Its message is not logged, as it may name a key.
#[cfg(feature = "tracing")]
fn kind(error: &Error) -> &'static str {
    match error {
        _ if error.is_store() => "store",
        _ if error.is_conflict() => "conflict",
        _ if error.is_too_large() => "too large",
        _ if error.is_decode() => "decode",
        _ => "other",
    }
}

/// A store failure's cause and advice; for a timeout or a damaged record, the message itself.
#[cfg(feature = "tracing")]
fn source(error: &Error) -> Option<tracing::field::DisplayValue<String>> {
    let text = match (std::error::Error::source(error), error.advice()) {
        (Some(source), Some(advice)) => format!("{source}: {advice}"),
        (Some(source), None) => source.to_string(),
        (None, _) => error.to_string(),
    };
    error.is_store().then(|| tracing::field::display(text))
}
