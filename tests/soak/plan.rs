//! How long, and from which seed.

/// The short form, which runs beside all other tests.
const REQUESTS: u64 = 20_000;

/// From here on it is the long form, which has time to wait for what expires.
const LONG: u64 = 1_000_000;

pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) requests: u64,
    /// A fault after each so many requests.
    pub(crate) fault_every: u64,
    /// A sample after each so many.
    pub(crate) sample_every: u64,
}

impl Plan {
    /// `WIZ_SOAK` requests, from `WIZ_SOAK_SEED`; or the short form with any seed.
    pub(crate) fn from_env() -> Self {
        let requests = number("WIZ_SOAK").unwrap_or(REQUESTS);
        Self {
            seed: number("WIZ_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            requests,
            fault_every: (requests / 8).clamp(1, 100_000),
            sample_every: (requests / 400).max(1),
        }
    }

    pub(crate) fn is_long(&self) -> bool {
        self.requests >= LONG
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}
