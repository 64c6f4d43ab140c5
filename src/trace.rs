//! Every event the crate emits, in one place: so that no other file knows whether `tracing` is there, and none can
//! log an id, a cookie, a key or a value.

use crate::{error::Error, id::Handle};

macro_rules! event {
    ($level:ident, $($rest:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "wiz_session", $($rest)*)
    };
}

#[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
mod events {
    use super::*;

    pub(crate) fn created(handle: Handle) {
        event!(debug, %handle, "session created");
    }

    pub(crate) fn regenerated(from: Handle, to: Handle) {
        event!(debug, %from, %to, "session regenerated");
    }

    pub(crate) fn ended(handle: Handle) {
        event!(debug, %handle, "session ended");
    }

    pub(crate) fn revoked(sessions: u64) {
        event!(info, sessions, "sessions revoked");
    }

    pub(crate) fn unknown_id(handle: Handle) {
        event!(debug, %handle, "cookie of an unknown session");
    }

    pub(crate) fn bad_mac() {
        event!(warn, "session cookie with a bad MAC");
    }

    pub(crate) fn discarded() {
        event!(info, "write discarded: the session ended meanwhile");
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

    pub(crate) fn commit_failed(error: &Error) {
        event!(
            error,
            error = kind(error),
            source = source(error),
            "session not committed"
        );
    }
}

pub(crate) use events::*;

/// What kind of error it is. Not its message: that may name a key.
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

/// What a store said of its failure, and what to do about it; or else that it was a timeout or a damaged record.
#[cfg(feature = "tracing")]
fn source(error: &Error) -> Option<tracing::field::DisplayValue<String>> {
    let text = match (std::error::Error::source(error), error.advice()) {
        (Some(source), Some(advice)) => format!("{source}: {advice}"),
        (Some(source), None) => source.to_string(),
        (None, _) => error.to_string(),
    };
    error.is_store().then(|| tracing::field::display(text))
}
