//! The names of the rules, as the suite has to say them.

pub(crate) const ATOMIC: &str = "Atomic";
pub(crate) const VISIBLE: &str = "Visible";
pub(crate) const INSERT_OR_UPDATE: &str = "Insert or update, never both";
pub(crate) const COMPARE_AND_SWAP: &str = "Compare-and-swap";
pub(crate) const ONLY_THE_END: &str = "A touch moves the end only";
pub(crate) const TOMBSTONES: &str = "Tombstones are no sessions";
pub(crate) const ALL_OF_A_USER: &str = "All sessions of a user";
pub(crate) const NOTHING_IS_CUT: &str = "Nothing is cut";
pub(crate) const CALLERS_CLOCK: &str = "The caller's clock";
pub(crate) const LOOK: &str = "A look agrees with a load";
pub(crate) const SCAN: &str = "A scan misses nothing";
pub(crate) const PUSH: &str = "A report is true";
pub(crate) const FAILURES: &str = "Failures are errors";
pub(crate) const IMMEDIATE: &str = "Immediate means never waiting";
pub(crate) const EXPIRED: &str = "Expired records";
pub(crate) const CANCEL_SAFE: &str = "Cancel safety";

/// Several rules may be the first that is found to be broken.
pub(crate) const ANY: &str = "";
