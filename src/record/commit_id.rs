use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id;

/// Names one commit, from before its first store call through every retry. A record carries the ids of its last
/// commits, so a commit whose answer was lost is recognised by its id instead of being done a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CommitId(u64);

impl CommitId {
    pub(crate) fn random() -> Self {
        let [bytes @ .., _, _, _, _, _, _, _, _] = id::random();
        // Zero is the empty place in `CommitIds`.
        Self(u64::from_le_bytes(bytes).max(1))
    }
}

/// The ids of a record's last commits, the latest last. In a store whose answers cannot be lost there are none, and
/// they take no memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct CommitIds(Option<Box<[u64; Self::MOST]>>);

impl CommitIds {
    /// How many commits of others may come between a commit and the look-up that recognises it.
    pub(crate) const MOST: usize = 8;

    const DIGITS: usize = 16;

    pub(crate) fn contains(&self, CommitId(id): CommitId) -> bool {
        self.0.as_ref().is_some_and(|ids| ids.contains(&id))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        let ids = self.0.as_deref().into_iter().flatten();
        ids.filter(|id| **id != 0).count()
    }

    pub(crate) fn latest(&self) -> Option<CommitId> {
        self.0.as_ref().map(|ids| CommitId(ids[Self::MOST - 1]))
    }

    /// All but the latest.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = CommitId> {
        let ids = self.0.as_deref().into_iter().flatten();
        ids.take(Self::MOST - 1)
            .filter(|id| **id != 0)
            .map(|id| CommitId(*id))
    }

    /// These and one more, which the oldest makes room for.
    #[must_use]
    pub(crate) fn with(&self, CommitId(id): CommitId) -> Self {
        let mut ids = self.0.clone().unwrap_or_default();
        ids.rotate_left(1);
        ids[Self::MOST - 1] = id;
        Self(Some(ids))
    }
}

/// Their hexadecimal digits, without a separator.
impl Serialize for CommitIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = self.0.as_deref().into_iter().flatten();
        let text: String = ids
            .filter(|id| **id != 0)
            .map(|id| format!("{id:016x}"))
            .collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for CommitIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut ids = Self::default();
        for digits in text.as_bytes().chunks(Self::DIGITS) {
            let digits = str::from_utf8(digits).map_err(de::Error::custom)?;
            let id = u64::from_str_radix(digits, 16).map_err(de::Error::custom)?;
            if id != 0 {
                ids = ids.with(CommitId(id));
            }
        }
        Ok(ids)
    }
}

impl fmt::Debug for CommitIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitIds({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_eight_are_remembered() {
        let ids: Vec<_> = std::iter::repeat_with(CommitId::random).take(9).collect();
        let mut kept = CommitIds::default();
        assert!(kept.is_empty() && !kept.contains(ids[0]));
        for id in &ids {
            kept = kept.with(*id);
            assert!(kept.contains(*id));
        }
        assert!(!kept.contains(ids[0]) && ids[1..].iter().all(|id| kept.contains(*id)));
    }

    #[test]
    fn their_digits_are_read_back() {
        let mut ids = CommitIds::default();
        for count in 0..10 {
            let text = serde_json::to_string(&ids).unwrap();
            assert_eq!(text.len(), 2 + 16 * count.min(CommitIds::MOST));
            assert_eq!(serde_json::from_str::<CommitIds>(&text).unwrap(), ids);
            ids = ids.with(CommitId::random());
        }
        for damaged in [r#""x""#, r#""00000000000000é0""#, "1", "null"] {
            assert!(serde_json::from_str::<CommitIds>(damaged).is_err());
        }
    }
}
