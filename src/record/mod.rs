mod commit_id;
mod details;
mod device;
mod format;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod version;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

#[cfg(feature = "dbsc")]
pub(crate) use self::device::{DeviceId, Jwk};
pub use self::version::Version;
pub(crate) use self::{
    commit_id::{CommitId, CommitIds},
    details::{Alias, Details, Stamp},
    device::Device,
};
use crate::{change::Data, time::Timestamp};

/// One session as a store keeps it: its data, its deadlines, its user, and the ids of its last commits.
///
/// Cloning copies a pointer and two numbers. A store keeps three things of it: the [version](Self::version), which it
/// raises with every [`replace`](crate::SessionStore::replace); the time [it expires](Self::expires_at), which a
/// [`touch`](crate::SessionStore::touch) moves; and the rest, as [JSON](Self::to_json), which it never looks into.
///
/// ```
/// use wiz_session::{Error, Record};
///
/// /// To a database and back.
/// fn round_trip(record: &Record) -> Result<Record, Error> {
///     let row = (record.to_json(), record.version(), record.expires_at());
///     Record::from_json(&row.0, row.1, row.2)
/// }
/// ```
#[derive(Clone)]
pub struct Record {
    version: Version,
    expires_at: Timestamp,
    body: Arc<Body>,
}

/// What only a new version of the record changes.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) created_at: Timestamp,
    pub(crate) authenticated_at: Option<Timestamp>,
    /// The end that no activity moves.
    pub(crate) deadline: Timestamp,
    /// Replaces the layer's timeouts for this session.
    pub(crate) remember: Option<Duration>,
    pub(crate) user: Option<Box<str>>,
    /// Left behind under an old id, see [`Record::tombstone`].
    pub(crate) tombstone: bool,
    /// `None` where all of them are empty.
    pub(crate) details: Option<Arc<Details>>,
    pub(crate) commits: CommitIds,
    pub(crate) data: Data,
}

impl Record {
    pub(crate) fn new(version: Version, expires_at: Timestamp, body: Body) -> Self {
        Self {
            version,
            expires_at,
            body: Arc::new(body),
        }
    }

    /// What stays under an old id for a while after a session moved to a new one.
    pub(crate) fn tombstone(version: Version, now: Timestamp) -> Self {
        let expires_at = now.saturating_add(Self::TOMBSTONE_AGE);
        let body = Body {
            created_at: now,
            authenticated_at: None,
            deadline: expires_at,
            remember: None,
            user: None,
            tombstone: true,
            details: None,
            commits: CommitIds::default(),
            data: Data::default(),
        };
        Self::new(version, expires_at, body)
    }

    /// Longer than any request that was sent with the old id should be under way.
    const TOMBSTONE_AGE: Duration = Duration::from_secs(30);

    /// The record's version, which rises with each change.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// This record with another version, for a store that has just stored it or keeps a count of its own.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// When the session ends unless it is used before. To the millisecond, and never after the absolute deadline.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at.into()
    }

    /// This record with another end, for a store that was told to touch it.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = expires_at.into();
        self
    }

    /// The user who logged in, the key of a store's index for [`list`](crate::SessionStore::list).
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.body.user.as_deref()
    }

    /// When the session began. A new id does not change it.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.body.created_at.into()
    }

    /// When its user last logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.body.authenticated_at.map(SystemTime::from)
    }

    /// What the application named the session, see [`WizSession::label`](crate::WizSession::label).
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.details()?.label.as_deref()
    }

    /// Whether the session is bound to a device, by the feature `dbsc`. Known without that feature too.
    ///
    /// ```
    /// use wiz_session::Record;
    ///
    /// fn bound(records: &[Record]) -> usize {
    ///     records.iter().filter(|record| record.is_device_bound()).count()
    /// }
    /// ```
    #[must_use]
    pub fn is_device_bound(&self) -> bool {
        self.device().is_some()
    }

    pub(crate) fn device(&self) -> Option<&Arc<Device>> {
        self.details()?.device.as_ref()
    }

    pub(crate) fn details(&self) -> Option<&Details> {
        self.body.details.as_deref()
    }

    /// Whether this is a tombstone: the mark under an old id whose session has moved to a new one. A tombstone is not a
    /// session: a store neither counts nor lists it, and [`delete`](crate::SessionStore::delete) leaves it alone.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.body.tombstone
    }

    /// Whether both were written by the same commit. A store that changes two records one after the other recognises by
    /// it what an earlier attempt, which failed half-way, has left. Never true of records without the id of a commit.
    ///
    /// ```
    /// use wiz_session::Record;
    ///
    /// fn is_own(stored: Option<&Record>, written: &Record) -> bool {
    ///     stored.is_some_and(|stored| stored.is_same_commit(written))
    /// }
    /// ```
    #[must_use]
    pub fn is_same_commit(&self, other: &Self) -> bool {
        let (own, other) = (self.body.commits.latest(), other.body.commits.latest());
        own.is_some() && own == other
    }

    pub(crate) fn has_commits(&self) -> bool {
        !self.body.commits.is_empty()
    }

    /// This tombstone, with the id of the commit that wrote the moved record and one of its own, which tells attempts
    /// apart. Unchanged if that record has no ids.
    pub(crate) fn left_by(&self, moved: &Self) -> Self {
        if !moved.has_commits() {
            return self.clone();
        }
        self.with_commits(moved.body.commits.with(CommitId::random()))
    }

    /// This tombstone, with the ids of the commits of the moved record: so a commit that was done before the session
    /// moved is recognised as well.
    pub(crate) fn after(self, moved: &Self) -> Self {
        match moved.has_commits() {
            true => self.with_commits(moved.body.commits.clone()),
            false => self,
        }
    }

    fn with_commits(&self, commits: CommitIds) -> Self {
        let body = Body {
            commits,
            ..Body::clone(&self.body)
        };
        Self::new(self.version, self.expires_at, body)
    }

    /// Whether it was [left by](Self::left_by) the commit that wrote the moved record.
    pub(crate) fn is_tombstone_of(&self, moved: &Self) -> bool {
        let commit = moved.body.commits.latest();
        self.body.tombstone && commit.is_some_and(|commit| self.body.commits.contains(commit))
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    pub(crate) fn data(&self) -> &Data {
        &self.body.data
    }

    /// Moves the end to later, never to earlier.
    pub(crate) fn touch(&mut self, expires_at: Timestamp) {
        self.expires_at = self.expires_at.max(expires_at);
    }

    pub(crate) fn expires(&self) -> Timestamp {
        self.expires_at
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("expires_at", &self.expires_at)
            .field("body", &self.body)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Format version 1 must load for ever: never change this text, add another.
    const PINNED: &str = r#"{"v":1,"created_at":1700000000000,"authenticated_at":1700000001000,"deadline":1700043200000,"remember":43200000,"user":"alice","data":{"cart":[1,2],"이름":"앨리스"}}"#;

    #[test]
    fn the_pinned_record_loads_and_is_written_the_same() {
        let expires_at = SystemTime::from(Timestamp::from_millis(1_700_001_800_123));
        let record = Record::from_json(PINNED, Version::new(7), expires_at).unwrap();
        assert_eq!(
            (record.version().get(), record.expires_at(), record.user()),
            (7, expires_at, Some("alice"))
        );
        assert_eq!(record.body.remember, Some(Duration::from_secs(43_200)));
        assert_eq!(
            record.body.authenticated_at,
            Some(Timestamp::from_millis(1_700_000_001_000))
        );
        assert_eq!(record.data().get("이름"), Some(r#""앨리스""#.as_bytes()));
        assert_eq!(record.to_json(), PINNED);
    }

    #[test]
    fn the_ids_of_its_commits_are_kept() {
        let with = PINNED.replace(
            r#","data""#,
            r#","commits":"00000000000000fffedcba9876543210","data""#,
        );
        let record = Record::from_json(&with, Version::new(7), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(record.to_json(), with);
        assert_eq!(format!("{:?}", record.body.commits), "CommitIds(2)");
    }

    #[test]
    fn what_only_some_sessions_have_is_kept() {
        let with = PINNED.replace(
            r#","data""#,
            r#","label":"Firefox on Linux","stamp":"AAECAwQFBgcICQoLDA0ODw","aliases":[{"name":"oidc-sid","value":"08a5"}],"data""#,
        );
        let record = Record::from_json(&with, Version::new(7), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(record.label(), Some("Firefox on Linux"));
        assert_eq!(record.to_json(), with);
        for damaged in ["AAECAwQFBgcICQoLDA0OD", "AAEC", "?"] {
            let damaged = with.replace("AAECAwQFBgcICQoLDA0ODw", damaged);
            assert!(
                Record::from_json(&damaged, Version::FIRST, SystemTime::UNIX_EPOCH).is_err(),
                "{damaged}"
            );
        }
    }

    #[test]
    fn the_device_is_kept() {
        let ec = r#"{"id":"AAECAwQFBgcICQoLDA0ODw","registered_at":1700000002000,"jwk":{"kty":"EC","crv":"P-256","x":"eA","y":"eQ"}}"#;
        let rsa = ec.replace(
            r#""EC","crv":"P-256","x":"eA","y":"eQ""#,
            r#""RSA","n":"bg","e":"AQAB""#,
        );
        for device in [ec, &rsa] {
            let with = PINNED.replace(r#","data""#, &format!(r#","device":{device},"data""#));
            let record = Record::from_json(&with, Version::new(7), SystemTime::UNIX_EPOCH).unwrap();
            assert!(record.is_device_bound());
            assert_eq!(record.to_json(), with);
            let printed = format!("{record:?}");
            assert!(
                !printed.contains("AQAB") && !printed.contains("AAEC"),
                "{printed}"
            );
            for (good, damaged) in [
                ("DA0ODw", "DA0OD"),
                ("\"EC\"", "\"OKP\""),
                ("\"n\"", "\"m\""),
            ] {
                if device.contains(good) {
                    let damaged = with.replace(good, damaged);
                    let read = Record::from_json(&damaged, Version::FIRST, SystemTime::UNIX_EPOCH);
                    assert!(read.is_err(), "{damaged}");
                }
            }
        }
        let record = Record::from_json(PINNED, Version::new(7), SystemTime::UNIX_EPOCH).unwrap();
        assert!(!record.is_device_bound());
    }

    #[test]
    fn records_of_one_commit_are_recognised() {
        let record = |commits: &str| {
            let json = PINNED.replace(r#","data""#, &format!(r#","commits":"{commits}","data""#));
            Record::from_json(&json, Version::FIRST, SystemTime::UNIX_EPOCH).unwrap()
        };
        let (none, first, second) = ("", "000000000000000a", "000000000000000a000000000000000b");
        for (one, other, same) in [
            (none, none, false),
            (none, first, false),
            (first, first, true),
            (first, second, false),
            (second, "000000000000000b", true),
        ] {
            assert_eq!(record(one).is_same_commit(&record(other)), same);
            assert_eq!(record(other).is_same_commit(&record(one)), same);
        }

        let stone = Record::tombstone(Version::FIRST, Timestamp::from_millis(1_000));
        let [one, other] = [(); 2].map(|()| stone.left_by(&record(second)));
        assert!(one.is_same_commit(&one) && !one.is_same_commit(&other));
        assert!(
            one.is_tombstone_of(&record(second))
                && !one.is_tombstone_of(&record("000000000000000c"))
        );
        assert_eq!(stone.left_by(&record(none)).to_json(), stone.to_json());
        assert!(!record(second).is_tombstone_of(&record(second)));
    }

    #[test]
    fn a_tombstone_keeps_nothing_of_the_session() {
        let stone = Record::tombstone(Version::FIRST, Timestamp::from_millis(1_000));
        let json = r#"{"v":1,"created_at":1000,"deadline":31000,"tombstone":true,"data":{}}"#;
        assert_eq!(stone.to_json(), json);
        assert!(
            Record::from_json(json, Version::FIRST, stone.expires_at())
                .unwrap()
                .is_tombstone()
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_store_error_without_content() {
        let unknown = PINNED.replace(r#""v":1"#, r#""v":2"#);
        for json in [
            "",
            "hunter2",
            "{}",
            r#"{"v":1}"#,
            &unknown,
            &PINNED.replace(r#"[1,2]"#, "[1,"),
            &PINNED[..40],
        ] {
            let error =
                Record::from_json(json, Version::FIRST, SystemTime::UNIX_EPOCH).unwrap_err();
            assert!(error.is_store(), "{json}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_version_that_has_no_next_is_a_store_error() {
        for (version, reads) in [
            (i64::MAX as u64 - 1, true),
            (i64::MAX as u64, false),
            (u64::MAX, false),
        ] {
            let version = Version::new(version);
            let read = Record::from_json(PINNED, version, SystemTime::UNIX_EPOCH);
            match read {
                Ok(record) => assert!(reads && record.version().next() > version),
                Err(error) => assert!(!reads && error.is_store()),
            }
        }
    }

    #[test]
    fn it_prints_neither_keys_nor_values() {
        let record = Record::from_json(PINNED, Version::FIRST, SystemTime::UNIX_EPOCH).unwrap();
        let printed = format!("{record:?}");
        assert!(
            !printed.contains("cart") && !printed.contains("앨리스"),
            "{printed}"
        );
    }
}
