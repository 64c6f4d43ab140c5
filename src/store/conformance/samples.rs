//! Records for the checks.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    change::Data,
    id::{Handle, SessionId},
    record::{Body, CommitId, CommitIds, Record, Version},
    time::Timestamp,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn handle() -> Handle {
    SessionId::random().handle()
}

/// A unique user.
pub(super) fn user() -> String {
    format!("user {}", handle())
}

/// A record of the first version that lives for an hour.
pub(super) fn record(now: SystemTime, user: Option<&str>, json: &str) -> Record {
    let now = Timestamp::from(now);
    let body = Body {
        created_at: now.saturating_sub(3 * HOUR),
        authenticated_at: user.map(|_| now.saturating_sub(2 * HOUR)),
        deadline: now.saturating_add(12 * HOUR),
        remember: None,
        user: user.map(Into::into),
        commits: CommitIds::default(),
        tombstone: false,
        details: None,
        data: Data::from_json(json).expect("the suite's data is JSON"),
    };
    Record::new(Version::FIRST, now.saturating_add(HOUR), body)
}

/// The same, with all that a record can have.
pub(super) fn full_record(now: SystemTime, user: &str, json: &str) -> Record {
    let record = record(now, Some(user), json);
    let commits = CommitIds::default().with(CommitId::random());
    let body = Body {
        remember: Some(400 * 24 * HOUR),
        commits: commits.with(CommitId::random()),
        ..record.body().clone()
    };
    Record::new(Version::FIRST, record.expires(), body)
}

pub(super) fn tombstone(now: SystemTime) -> Record {
    Record::tombstone(Version::FIRST, Timestamp::from(now))
}

/// All that a store keeps of a record.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Kept {
    version: u64,
    expires_at: u64,
    json: String,
}

pub(super) fn kept(record: &Record) -> Kept {
    Kept {
        version: record.version().get(),
        expires_at: record.expires().as_millis(),
        json: record.to_json(),
    }
}

impl fmt::Debug for Kept {
    /// Without the middle of what is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, end, json) = (self.version, self.expires_at, &self.json);
        write!(f, "version {version} until {end}: ")?;
        if json.len() <= 400 {
            return f.write_str(json);
        }
        let (first, bytes) = (json.chars().take(200).collect::<String>(), json.len());
        write!(f, "{first}… ({bytes} bytes)")
    }
}
