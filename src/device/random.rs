//! How long tests with random input run.

use std::time::{Duration, Instant};

/// Seeds of so many rounds, or of as many as fit into `WIZ_FUZZ_SECONDS`.
pub(super) fn rounds(count: u64) -> impl Iterator<Item = u64> {
    let seconds = std::env::var("WIZ_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("a number"));
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    (0..).take_while(move |round| match end {
        Some(end) => Instant::now() < end,
        None => *round < count,
    })
}
