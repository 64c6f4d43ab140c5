//! The rules of the contract, by the names that they have in the documentation of [`SessionStore`](crate::SessionStore).

use std::{
    error::Error as _,
    fmt::{Debug, Display},
};

use crate::error::Error;

/// A rule of the contract, and where it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    name: &'static str,
    section: &'static str,
}

const fn contract(name: &'static str) -> Rule {
    Rule {
        name,
        section: "Contract",
    }
}

const fn section(section: &'static str) -> Rule {
    Rule {
        name: section,
        section,
    }
}

pub(super) const ATOMIC: Rule = contract("Atomic");
pub(super) const VISIBLE: Rule = contract("Visible");
pub(super) const INSERT_OR_UPDATE: Rule = contract("Insert or update, never both");
pub(super) const COMPARE_AND_SWAP: Rule = contract("Compare-and-swap");
pub(super) const ONLY_THE_END: Rule = contract("A touch moves the end only");
pub(super) const TOMBSTONES: Rule = contract("Tombstones are no sessions");
pub(super) const ALL_OF_A_USER: Rule = contract("All sessions of a user");
pub(super) const NOTHING_IS_CUT: Rule = contract("Nothing is cut");
pub(super) const CALLERS_CLOCK: Rule = contract("The caller's clock");
pub(super) const LOOK: Rule = contract("A look agrees with a load");
pub(super) const SCAN: Rule = contract("A scan misses nothing");
pub(super) const PUSH: Rule = contract("A report is true");
pub(super) const FAILURES: Rule = contract("Failures are errors");
pub(super) const IMMEDIATE: Rule = contract("Immediate means never waiting");
pub(super) const EXPIRED: Rule = section("Expired records");
pub(super) const CANCEL_SAFE: Rule = section("Cancel safety");

#[cfg(test)]
const ALL: [Rule; 16] = [
    ATOMIC,
    VISIBLE,
    INSERT_OR_UPDATE,
    COMPARE_AND_SWAP,
    ONLY_THE_END,
    TOMBSTONES,
    ALL_OF_A_USER,
    NOTHING_IS_CUT,
    CALLERS_CLOCK,
    LOOK,
    SCAN,
    PUSH,
    FAILURES,
    IMMEDIATE,
    EXPIRED,
    CANCEL_SAFE,
];

/// Ends the suite: the store has failed where it had no reason to. Its own error says more than the advice.
#[track_caller]
pub(super) fn failed(method: &str, error: &Error) -> ! {
    let source = error.source().map(|source| format!(": {source}"));
    let source = source.unwrap_or_default();
    FAILURES.broken(format_args!("{method} failed: {error}{source}"))
}

impl Rule {
    /// Ends the suite.
    #[track_caller]
    pub(super) fn broken(self, what: impl Display) -> ! {
        let Self { name, section } = self;
        panic!(
            "the store breaks the rule \"{name}\": {what}\n\
             (the rule is in the documentation of `SessionStore`, section \"{section}\")"
        )
    }

    #[track_caller]
    pub(super) fn holds(self, holds: bool, what: impl Display) {
        if !holds {
            self.broken(what);
        }
    }

    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what is compared is mostly made for it"
    )]
    pub(super) fn equal<T: PartialEq + Debug>(self, actual: T, expected: T, what: impl Display) {
        if actual != expected {
            self.broken(format_args!(
                "{what}: expected {expected:?}, got {actual:?}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_in_the_contract() {
        let contract = include_str!("../session_store.rs");
        for Rule { name, section } in ALL {
            let heading = format!("/// # {section}\n");
            assert!(contract.contains(&heading), "{section}");
            let item = format!("/// - **{name}.**");
            assert!(name == section || contract.contains(&item), "{name}");
        }
    }
}
