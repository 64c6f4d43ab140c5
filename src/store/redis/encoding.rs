//! A record as Redis keeps it: one string, a head of fixed layout and the rest as JSON.
//!
//! Every field of the head has its offset and its width, so that scripts compare bytes. Numbers are decimal, padded
//! with zeros, so that they compare as text too.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 15 | `expires_at` |
//! | 16 | 20 | version |
//! | 37 | 1 | `u`ser, `a`nonymous or `t`ombstone |
//! | 39 | 15 | until when the user's index has to list the session, 0 without a user |
//! | 55 | 9 | length of the user |
//! | 65 | | the user, then the rest of the record as JSON |

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use crate::{
    error::Error,
    record::{Record, Version},
    time::{self, Timestamp},
};

const EXPIRES_AT: Range<usize> = 0..15;
const VERSION: Range<usize> = 16..36;
const KIND: usize = 37;
const LENGTH: Range<usize> = 55..64;
/// Where the user begins.
const HEAD: usize = 65;

/// How much longer than its session a key lives: the server's clock decides that, and clocks get set.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// For how many milliseconds from now the server has to keep what ends then.
///
/// A duration, not an instant: the server's clock may be hours off without ending a session early. It is measured
/// from the system's clock, from which the layer's differs in tests only.
pub(super) fn ttl_until(end: Timestamp) -> String {
    let left = end.since(Timestamp::from(SystemTime::now()));
    time::millis(left + SLACK).to_string()
}

/// Until when the user's index has to list a session: no touch takes it past its deadline.
fn indexed_until(record: &Record) -> Timestamp {
    let end = record.body().deadline.max(record.expires());
    end.min(Timestamp::from_millis(Timestamp::LATEST))
}

/// The TTL of a session's entry in its user's index.
pub(super) fn index_ttl(record: &Record) -> String {
    ttl_until(indexed_until(record))
}

/// A record as it is sent to the server, with its TTL.
pub(super) struct EncodedRecord {
    text: String,
    /// Where the user ends.
    head: usize,
    ttl: String,
}

impl EncodedRecord {
    pub(super) fn new(record: &Record, version: Version) -> Self {
        let user = record.user().unwrap_or_default();
        let (kind, indexed_until) = match record.user() {
            _ if record.is_tombstone() => ('t', Timestamp::from_millis(0)),
            Some(_) => ('u', indexed_until(record)),
            None => ('a', Timestamp::from_millis(0)),
        };
        let (expires_at, indexed_until) = (instant(record.expires()), instant(indexed_until));
        let (version, length, json) = (number(version), user.len(), record.to_json());
        let text =
            format!("{expires_at} {version} {kind} {indexed_until} {length:09} {user}{json}");
        Self {
            text,
            head: HEAD + user.len(),
            ttl: ttl_until(record.expires()),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// For how long the server has to keep it.
    pub(super) fn ttl(&self) -> &[u8] {
        self.ttl.as_bytes()
    }

    /// The offset of the user's last byte, or of the head's without a user.
    pub(super) fn last_of_user(&self) -> String {
        (self.head - 1).to_string()
    }
}

/// The opposite of [`EncodedRecord::new`].
pub(super) fn decode(value: &[u8]) -> Result<Record, Error> {
    let read = || {
        let header = RecordHeader::decode(value)?;
        let user = parse(value.get(LENGTH)?)?;
        let json = value.get(HEAD.checked_add(usize::try_from(user).ok()?)?..)?;
        Some((
            str::from_utf8(json).ok()?,
            header.version,
            header.expires_at,
        ))
    };
    let (json, version, expires_at) = read().ok_or_else(damaged)?;
    Record::from_json(json, version, expires_at.into())
}

/// The part of a record's head that scans and looks read.
pub(super) struct RecordHeader {
    pub(super) version: Version,
    pub(super) expires_at: Timestamp,
    pub(super) is_tombstone: bool,
}

impl RecordHeader {
    /// The offset of the last byte that [`decode`](Self::decode) needs.
    pub(super) const LAST: usize = KIND;

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        Some(Self {
            version: Version::new(parse(value.get(VERSION)?)?),
            expires_at: Timestamp::from_millis(parse(value.get(EXPIRES_AT)?)?),
            is_tombstone: match value.get(KIND)? {
                b't' => true,
                b'a' | b'u' => false,
                _ => return None,
            },
        })
    }
}

pub(super) fn damaged() -> Error {
    Error::corrupt("its head is damaged")
}

/// The digits of a point in time.
pub(super) fn instant(time: Timestamp) -> String {
    format!("{:015}", time.as_millis().min(Timestamp::LATEST))
}

/// The digits of a version.
pub(super) fn number(version: Version) -> String {
    format!("{:020}", version.get())
}

fn parse(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a server has to be read for ever: never change this text, add another.
    const PINNED: &str = concat!(
        "001700001800123 00000000000000000007 u 001700043200000 000000009 앨리스",
        r#"{"v":1,"created_at":1700000000000,"deadline":1700043200000,"user":"앨리스","#,
        r#""commits":"fedcba9876543210","data":{"n":1}}"#
    );

    #[test]
    fn the_pinned_value_is_read_and_written_the_same() {
        let record = decode(PINNED.as_bytes()).unwrap();
        assert_eq!(
            (record.version(), record.user()),
            (Version::new(7), Some("앨리스"))
        );
        assert_eq!(record.expires().as_millis(), 1_700_001_800_123);
        let encoded = EncodedRecord::new(&record, Version::new(7));
        assert_eq!(str::from_utf8(encoded.as_bytes()), Ok(PINNED));
        let head = &PINNED[..=encoded.last_of_user().parse().unwrap()];
        assert!(head.ends_with(" 000000009 앨리스"), "{head}");
    }

    #[test]
    fn only_a_users_session_has_to_be_found() {
        for (json, head) in [
            (
                r#"{"v":1,"created_at":1000,"deadline":31000,"data":{}}"#,
                "000000000031000 00000000000000000001 a 000000000000000 000000000 {",
            ),
            (
                r#"{"v":1,"created_at":1000,"deadline":31000,"tombstone":true,"data":{}}"#,
                "000000000031000 00000000000000000001 t 000000000000000 000000000 {",
            ),
            (
                r#"{"v":1,"created_at":1000,"deadline":18446744073709551614,"user":"","data":{}}"#,
                "000000000031000 00000000000000000001 u 253402300799999 000000000 {",
            ),
        ] {
            let end = Timestamp::from_millis(31_000).into();
            let record = Record::from_json(json, Version::FIRST, end).unwrap();
            let encoded = EncodedRecord::new(&record, Version::FIRST);
            let text = str::from_utf8(encoded.as_bytes()).unwrap();
            assert!(text.starts_with(head), "{text}");
            assert_eq!(decode(encoded.as_bytes()).unwrap().to_json(), json);
        }
    }

    #[test]
    fn what_is_damaged_is_no_record() {
        let whole = PINNED.as_bytes();
        let broken = (0..whole.len()).map(|end| whole[..end].to_vec());
        let overwritten = [1, 21, KIND, 61].map(|at| {
            let mut bytes = whole.to_vec();
            bytes[at] = b'x';
            bytes
        });
        let longer = PINNED.replace("000000009", "999999999").into_bytes();
        let foreign = [b"hunter2".to_vec(), vec![0xff; 300], vec![b'0'; 300]];
        for bytes in broken.chain(overwritten).chain([longer]).chain(foreign) {
            let error = decode(&bytes).unwrap_err();
            assert!(error.is_store(), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
