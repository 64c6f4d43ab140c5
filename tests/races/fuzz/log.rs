use std::collections::{BTreeSet, HashMap, HashSet};

use wiz_session::{Handle, Record};

use super::{Token, Visit};

/// What happened.
#[derive(Default)]
pub(super) struct Log {
    pub(super) is_healed: bool,
    /// The round is run alone.
    pub(super) tells: bool,
    /// The request that is being polled.
    pub(super) visit: Visit,
    /// Every token that was ever stored.
    pub(super) stored: HashSet<Token>,
    /// Which request stored a record first.
    pub(super) began: HashMap<Handle, (Visit, Record)>,
    /// Requests that could not tell what became of their commit, so that they may have left a record.
    pub(super) excused: HashSet<Visit>,
    /// From where to where sessions were asked to move.
    pub(super) moves: Vec<(Handle, Handle)>,
    pub(super) left: HashMap<Handle, Record>,
    /// Sessions that requests have loaded, and those that they have cleared.
    pub(super) seen: HashSet<Handle>,
    pub(super) cleared: HashSet<Handle>,
}

impl Log {
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells && !self.is_healed {
            println!("{}: {}", self.visit, what());
        }
    }
}

/// The tokens of a record, each of which is there once.
pub(super) fn tokens(record: &Record) -> BTreeSet<Token> {
    let json: serde_json::Value = serde_json::from_str(&record.to_json()).expect("JSON");
    tokens_of(json["data"].as_object().expect("an object"))
}

pub(super) fn tokens_of(data: &serde_json::Map<String, serde_json::Value>) -> BTreeSet<Token> {
    let own = data.keys().filter_map(|key| key.strip_prefix("own "));
    let mut tokens: BTreeSet<Token> = own.map(|token| token.parse().expect("a token")).collect();
    for token in data
        .get("list")
        .iter()
        .filter_map(|list| list.as_array())
        .flatten()
    {
        let token = token.as_u64().expect("a token");
        assert!(tokens.insert(token), "{token} was done twice");
    }
    tokens
}

/// Whether a tombstone was left by the commit that began this record.
pub(super) fn has_left(stone: &Record, begun: &Record) -> bool {
    let commits = |record: &Record| {
        let json: serde_json::Value = serde_json::from_str(&record.to_json()).expect("JSON");
        json["commits"].as_str().unwrap_or_default().to_owned()
    };
    let (stone, begun) = (commits(stone), commits(begun));
    let latest = &begun[begun.len() - 16..];
    stone.contains(latest)
}

pub(super) fn check_kept(before: &Record, after: &Record) {
    if before.user().is_some_and(|user| after.user() != Some(user)) {
        return;
    }
    let lost = &tokens(before) - &tokens(after);
    assert!(lost.is_empty(), "{lost:?} were lost");
}
