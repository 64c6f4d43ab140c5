//! A record as Redis keeps it: one string, of which scripts look into the head.
//!
//! Everything in the head has its place and its width, so that scripts compare bytes. Numbers are decimal.
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 128 | the tokens of the last eight writes, the latest last |
//! | 129 | 15 | `expires_at` |
//! | 145 | 20 | version |
//! | 166 | 1 | `u`ser, `a`nonymous or `t`ombstone |
//! | 168 | 15 | until when a session has to be found by its user, else 0 |
//! | 184 | 9 | the user's length |
//! | 194 | | the user, and the rest of the record as JSON |

use std::{
    fmt::Write,
    ops::Range,
    time::{Duration, SystemTime},
};

use crate::{
    error::Error,
    id,
    record::{Record, Version},
    time::{self, Timestamp},
};

const TOKEN: usize = 16;
const TOKENS: usize = 8 * TOKEN;
const EXPIRES_AT: Range<usize> = 129..144;
const VERSION: Range<usize> = 145..165;
const KIND: usize = 166;
const LENGTH: Range<usize> = 184..193;
/// Where the user begins.
const HEAD: usize = 194;

/// How much longer than its session a key lives: Redis's clock decides that, and clocks get set.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// For how many milliseconds from now Redis has to keep what ends then.
///
/// A span, not a time: what Redis's clock shows may be hours off, without ending a session early. It is measured
/// from the system's clock, which the layer's agrees with but in tests.
pub(super) fn left_until(end: Timestamp) -> String {
    let left = end.since(Timestamp::from(SystemTime::now()));
    time::millis(left + SLACK).to_string()
}

/// Until when a session has to be found by its user: no touch takes it past its deadline.
pub(super) fn listed_until(record: &Record) -> Timestamp {
    record.body().deadline.max(record.expires())
}

/// One call that writes. Whoever runs it again can tell that it was run before.
#[derive(Clone, Copy)]
pub(super) struct Token(u64);

impl Token {
    pub(super) fn new() -> Self {
        let [bytes @ .., _, _, _, _, _, _, _, _] = id::random();
        Self(u64::from_le_bytes(bytes))
    }
}

/// The value of a record that is to be written, as if it were the first time.
pub(super) struct Written {
    text: String,
    /// Where the user ends.
    head: usize,
    left: String,
}

impl Written {
    pub(super) fn by(token: Token, record: &Record, version: Version) -> Self {
        let user = record.user().unwrap_or_default();
        let (kind, listed_until) = match record.user() {
            _ if record.is_tombstone() => ('t', Timestamp::from_millis(0)),
            Some(_) => ('u', listed_until(record)),
            None => ('a', Timestamp::from_millis(0)),
        };
        let json = record.to_json();
        let mut text = String::with_capacity(HEAD + user.len() + json.len());
        text.push_str(&"0".repeat(TOKENS - TOKEN));
        let (Token(token), expires_at) = (token, instant(record.expires()));
        let (version, listed_until, length) = (number(version), instant(listed_until), user.len());
        write!(
            text,
            "{token:016x} {expires_at} {version} {kind} {listed_until} {length:09} {user}{json}"
        )
        .expect("memory takes text");
        Self {
            text,
            head: HEAD + user.len(),
            left: left_until(record.expires()),
        }
    }

    pub(super) fn whole(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What comes after the tokens of earlier writes.
    pub(super) fn since_token(&self) -> &[u8] {
        &self.whole()[TOKENS - TOKEN..]
    }

    /// For how long Redis has to keep it.
    pub(super) fn left(&self) -> &[u8] {
        self.left.as_bytes()
    }

    /// What there is from the version to the user, if this replaces that version and only the data changes.
    pub(super) fn unless_for(&self, version: Version) -> Vec<u8> {
        let mut bytes = self.whole()[VERSION.start..self.head].to_vec();
        bytes[..VERSION.len()].copy_from_slice(number(version).as_bytes());
        bytes
    }

    /// Where the user's last byte is, or the head's if there is no user.
    pub(super) fn last_of_user(&self) -> String {
        (self.head - 1).to_string()
    }
}

/// Reads what was [written](Written).
pub(super) fn record(value: &[u8]) -> Result<Record, Error> {
    let read = || {
        let life = life(value)?;
        let user = parse(value.get(LENGTH)?)?;
        let json = value.get(HEAD.checked_add(usize::try_from(user).ok()?)?..)?;
        let version = Version::new(parse(value.get(VERSION)?)?);
        Some((str::from_utf8(json).ok()?, version, life.expires_at))
    };
    let (json, version, expires_at) = read().ok_or_else(damaged)?;
    Record::from_json(json, version, expires_at.into())
}

/// What a sweep has to know of a record.
pub(super) struct Life {
    pub(super) expires_at: Timestamp,
    pub(super) is_tombstone: bool,
}

impl Life {
    /// The last byte of what it is [read](life) from.
    pub(super) const LAST: usize = KIND;
}

pub(super) fn life(value: &[u8]) -> Option<Life> {
    Some(Life {
        expires_at: Timestamp::from_millis(parse(value.get(EXPIRES_AT)?)?),
        is_tombstone: match value.get(KIND)? {
            b't' => true,
            b'a' | b'u' => false,
            _ => return None,
        },
    })
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
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000000000000000000000000000fedcba9876543210",
        " 001700001800123 00000000000000000007 u 001700043200000 000000009 앨리스",
        r#"{"v":1,"created_at":1700000000000,"deadline":1700043200000,"user":"앨리스","data":{"n":1}}"#
    );

    #[test]
    fn the_pinned_value_is_read_and_written_the_same() {
        let record = record(PINNED.as_bytes()).unwrap();
        assert_eq!(
            (record.version(), record.user()),
            (Version::new(7), Some("앨리스"))
        );
        assert_eq!(record.expires().as_millis(), 1_700_001_800_123);
        let token = Token(0xfedc_ba98_7654_3210);
        let written = Written::by(token, &record, Version::new(7));
        assert_eq!(str::from_utf8(written.whole()), Ok(PINNED));
        assert_eq!(written.since_token(), &PINNED.as_bytes()[112..]);
        let unless = written.unless_for(Version::new(6));
        let head = &PINNED.as_bytes()[..=written.last_of_user().parse().unwrap()];
        assert_eq!(unless[20..], head[165..]);
        assert!(
            unless.starts_with(b"00000000000000000006 u ") && unless.ends_with("스".as_bytes())
        );
    }

    #[test]
    fn only_a_users_session_has_to_be_found() {
        for (json, head) in [
            (
                r#"{"v":1,"created_at":1000,"deadline":31000,"data":{}}"#,
                " 000000000031000 00000000000000000001 a 000000000000000 000000000 {",
            ),
            (
                r#"{"v":1,"created_at":1000,"deadline":31000,"tombstone":true,"data":{}}"#,
                " 000000000031000 00000000000000000001 t 000000000000000 000000000 {",
            ),
            (
                r#"{"v":1,"created_at":1000,"deadline":18446744073709551615,"user":"","data":{}}"#,
                " 000000000031000 00000000000000000001 u 253402300799999 000000000 {",
            ),
        ] {
            let end = Timestamp::from_millis(31_000).into();
            let record = Record::from_json(json, Version::FIRST, end).unwrap();
            let written = Written::by(Token::new(), &record, Version::FIRST);
            let text = str::from_utf8(&written.whole()[128..]).unwrap();
            assert!(text.starts_with(head), "{text}");
            assert_eq!(self::record(written.whole()).unwrap().to_json(), json);
        }
    }

    #[test]
    fn what_is_damaged_is_no_record() {
        let whole = PINNED.as_bytes();
        let broken = (0..whole.len()).map(|end| whole[..end].to_vec());
        let overwritten = [130, 150, KIND, 190].map(|at| {
            let mut bytes = whole.to_vec();
            bytes[at] = b'x';
            bytes
        });
        let longer = PINNED.replace("000000009", "999999999").into_bytes();
        let foreign = [b"hunter2".to_vec(), vec![0xff; 300], vec![b'0'; 300]];
        for bytes in broken.chain(overwritten).chain([longer]).chain(foreign) {
            let error = record(&bytes).unwrap_err();
            assert!(error.is_store(), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(Token::new().0, Token::new().0);
    }
}
