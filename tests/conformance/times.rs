/// How often each is tried, or as often as `WIZ_CONFORMANCE_TIMES` says: a fault five times, and a right store fifty,
/// before a change of the suite is called stable.
pub(crate) fn times(in_short: usize) -> usize {
    let asked = std::env::var("WIZ_CONFORMANCE_TIMES").ok();
    asked.map_or(in_short, |times| times.parse().expect("a number"))
}
