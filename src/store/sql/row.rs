use std::{borrow::Cow, fmt::Write as _, time::SystemTime};

use sha2::{Digest, Sha256};

use super::value::Value;
use crate::{
    id::Handle,
    record::{Record, Version},
    time::Timestamp,
};

/// A record as the columns of the table.
pub(crate) struct Row<'a> {
    pub(super) version: i64,
    pub(super) user_id: Option<Cow<'a, str>>,
    pub(super) expires_at: i64,
    pub(super) tombstone: bool,
    pub(super) record: String,
}

impl<'a> Row<'a> {
    pub(super) fn new(record: &'a Record, version: Version) -> Self {
        Self {
            version: number(version),
            user_id: record.user().map(user_id),
            expires_at: millis(record.expires_at()),
            tombstone: record.is_tombstone(),
            record: record.to_json(),
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn to_owned(&self) -> Row<'static> {
        let user_id = self.user_id.as_deref();
        Row {
            user_id: user_id.map(|user_id| Cow::Owned(user_id.to_owned())),
            record: self.record.clone(),
            ..*self
        }
    }

    /// In the order of the templates' placeholders.
    pub(super) fn values(&self) -> [Value<'_>; 5] {
        [
            Value::Number(self.version),
            Value::Text(self.user_id.as_deref()),
            Value::Number(self.expires_at),
            Value::Flag(self.tombstone),
            Value::Text(Some(&self.record)),
        ]
    }
}

/// As a JSON array.
pub(super) fn handles(handles: &[Handle]) -> String {
    let quoted: Vec<String> = handles
        .iter()
        .map(|handle| format!("\"{handle}\""))
        .collect();
    format!("[{}]", quoted.join(","))
}

/// A version never exceeds `i64::MAX`.
pub(super) fn number(version: Version) -> i64 {
    version.get().cast_signed()
}

/// Nor does a timestamp: the last one is in the year 9999.
pub(super) fn millis(time: SystemTime) -> i64 {
    Timestamp::from(time).as_millis().cast_signed()
}

/// The user as stored in the indexed column: unchanged, or a digest if some engine could not index the name. Two users
/// never share an id, as a name that looks like a digest is hashed too.
pub(super) fn user_id(user: &str) -> Cow<'_, str> {
    const DIGEST: &str = "sha256:";
    if user.len() <= MAX_USER && !user.contains('\0') && !user.starts_with(DIGEST) {
        return user.into();
    }
    let mut id = DIGEST.to_owned();
    for byte in Sha256::digest(user) {
        write!(id, "{byte:02x}").expect("writing to a String cannot fail");
    }
    id.into()
}

/// The length of MySQL's column.
const MAX_USER: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_stored_unchanged_if_possible() {
        for user in ["", "alice", "Alice", "alice ", "앨리스", &"x".repeat(255)] {
            assert_eq!(user_id(user), user);
        }
    }

    #[test]
    fn no_two_users_share_an_id() {
        let long = "x".repeat(256);
        let awkward = [long.as_str(), "nul\0", "nul", "sha256:", &user_id(&long)];
        let ids: std::collections::HashSet<_> = awkward.iter().map(|user| user_id(user)).collect();
        assert_eq!(ids.len(), awkward.len());
        assert!(
            ids.iter()
                .all(|id| id.len() <= MAX_USER && !id.contains('\0'))
        );
    }
}
