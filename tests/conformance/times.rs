/// How often each is tried: once, or as often as `WIZ_CONFORMANCE_TIMES` says. A fault five times, and a right store fifty,
/// before a change of the suite is called stable.
pub(crate) fn times() -> usize {
    let asked = std::env::var("WIZ_CONFORMANCE_TIMES").ok();
    asked.map_or(1, |times| times.parse().expect("a number"))
}
