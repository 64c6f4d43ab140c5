//! In milliseconds, from when the session began that the browser has at first.

pub(super) const MINUTE: u64 = 60_000;

pub(super) const IDLE: u64 = 30 * MINUTE;

pub(super) const ABSOLUTE: u64 = 60 * MINUTE;

/// For so long a cache may be old.
pub(super) const CACHE_FOR: u64 = MINUTE;

/// When it is used again. A use is worth a touch by then.
pub(super) const START: u64 = 5 * MINUTE;
