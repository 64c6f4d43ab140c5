use std::hash::{DefaultHasher, Hash, Hasher};

use super::script::{LIST, Token, Tokens};
use crate::{
    change::decode,
    commit,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

/// A [`commit::Call`] that can be kept.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Load(Handle),
    Create(Handle, Record),
    Replace(Handle, Version, Record),
    Regenerate {
        old: Handle,
        expected: Version,
        tombstone: Record,
        new: Handle,
        record: Record,
    },
    Touch(Handle, Timestamp),
    Delete(Handle),
}

impl Call {
    pub(super) fn of(call: commit::Call<'_>) -> Self {
        use commit::Call as C;
        match call {
            C::Load(handle) | C::Verify(handle) => Self::Load(handle),
            C::Create(handle, record) => Self::Create(handle, record.clone()),
            C::Replace(handle, expected, record) => Self::Replace(handle, expected, record.clone()),
            C::Regenerate {
                old,
                expected,
                tombstone,
                new,
                record,
            } => Self::Regenerate {
                old,
                expected,
                tombstone: tombstone.clone(),
                new,
                record: record.clone(),
            },
            C::Touch(handle, until) => Self::Touch(handle, until),
            C::Delete(handle) => Self::Delete(handle),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Reply {
    Loaded(Option<Kept>),
    Created(Created),
    Replaced(Replaced),
    Touched(bool),
    Deleted(bool),
    Fails,
}

impl Hash for Reply {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Loaded(kept) => kept.hash(hasher),
            Self::Replaced(Replaced::Stored(version)) => version.hash(hasher),
            Self::Replaced(other) => std::mem::discriminant(other).hash(hasher),
            Self::Created(created) => std::mem::discriminant(created).hash(hasher),
            Self::Touched(is_so) | Self::Deleted(is_so) => is_so.hash(hasher),
            Self::Fails => {}
        }
    }
}

/// A record, with what is looked at often.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) record: Record,
    pub(super) tokens: Tokens,
    has_twice: bool,
    print: u64,
}

impl Kept {
    pub(super) fn new(record: Record) -> Self {
        let list: Vec<Token> = record
            .data()
            .get(LIST)
            .map(|raw| decode(LIST, raw).expect("a list"))
            .unwrap_or_default();
        let mut tokens = Tokens::default();
        let has_twice = list.iter().any(|token| !tokens.add(*token));
        let mut hasher = DefaultHasher::new();
        record.version().hash(&mut hasher);
        record.expires().as_millis().hash(&mut hasher);
        record.to_json().hash(&mut hasher);
        Self {
            record,
            tokens,
            has_twice,
            print: hasher.finish(),
        }
    }

    /// Whether a token is in it twice.
    pub(super) fn has_twice(&self) -> bool {
        self.has_twice
    }

    pub(super) fn is_session(&self) -> bool {
        !self.record.is_tombstone()
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}
