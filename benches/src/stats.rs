//! Medians.

pub fn median(samples: &mut [f64]) -> f64 {
    percentile(samples, 50)
}

/// Sorts the samples.
pub fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[(samples.len() * percent / 100).min(samples.len() - 1)]
}
