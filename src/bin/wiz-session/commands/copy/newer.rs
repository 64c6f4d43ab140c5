use serde::Deserialize;
use wiz_session::{Error, Record};

use super::counts::Fate;
use crate::failure::Failure;

/// Whether the record of FROM takes the place of TO's: `Replaced`, `Same` or `Kept`.
///
/// A record that has the other's last commit among its own is the newer one. If none of both does, because more than eight
/// commits lie between them, the version decides, then the later end. A version alone would not do: it counts from TO's
/// own when TO's record is replaced.
pub(super) fn judge(from: &Record, to: &Record, mirror: bool) -> Result<Fate, Failure> {
    if is_same(from, to) {
        return Ok(match from.expires_at() > to.expires_at() {
            true => Fate::Replaced,
            false => Fate::Same,
        });
    }
    if mirror {
        return Ok(Fate::Replaced);
    }
    let (ours, theirs) = (Commits::of(from)?, Commits::of(to)?);
    let is_newer = match (ours.follows(&theirs), theirs.follows(&ours)) {
        (true, false) => true,
        (false, true) => false,
        _ => (from.version(), from.expires_at()) > (to.version(), to.expires_at()),
    };
    Ok(match is_newer {
        true => Fate::Replaced,
        false => Fate::Kept,
    })
}

/// Whether they differ at most in when they expire, and in how often a copy has replaced them.
pub(super) fn is_same(one: &Record, other: &Record) -> bool {
    one.to_json() == other.to_json()
}

/// The ids of a record's last commits, 16 digits each, the last one last.
#[derive(Debug, Deserialize)]
struct Commits {
    #[serde(default)]
    commits: String,
}

impl Commits {
    const DIGITS: usize = 16;

    fn of(record: &Record) -> Result<Self, Failure> {
        serde_json::from_str(&record.to_json())
            .map_err(|_| Failure::of_store(&Error::corrupt("its JSON is of another form")))
    }

    /// Whether the other's last commit is among these.
    fn follows(&self, other: &Self) -> bool {
        let ids = |commits: &'_ Self| -> Vec<Vec<u8>> {
            let ids = commits.commits.as_bytes().chunks(Self::DIGITS);
            ids.map(<[u8]>::to_vec).collect()
        };
        let last = ids(other).pop();
        last.is_some_and(|last| ids(self).contains(&last))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use wiz_session::Version;

    use super::*;

    fn record(version: u64, commits: &str, minutes: u64) -> Record {
        let json = format!(
            r#"{{"v":1,"created_at":1,"deadline":2,"commits":"{commits}","data":{{"n":{version}}}}}"#
        );
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes);
        Record::from_json(&json, Version::new(version), end).unwrap()
    }

    #[test]
    fn the_newer_record_wins() {
        let [a, b, c] = ["000000000000000a", "000000000000000b", "000000000000000c"];
        let (ab, bc) = (format!("{a}{b}"), format!("{b}{c}"));
        for (from, to, fate, what) in [
            (
                (2, &*ab, 9),
                (1, a, 9),
                Fate::Replaced,
                "it went on from TO's",
            ),
            ((1, a, 9), (2, &*ab, 9), Fate::Kept, "TO went on from it"),
            ((9, a, 9), (2, &*ab, 9), Fate::Kept, "whatever the versions"),
            (
                (2, &*bc, 9),
                (9, &*ab, 9),
                Fate::Replaced,
                "whatever the versions",
            ),
            (
                (3, a, 1),
                (2, b, 9),
                Fate::Replaced,
                "they parted: the version",
            ),
            ((2, a, 9), (3, b, 9), Fate::Kept, "they parted: the version"),
            (
                (3, "", 1),
                (2, "", 9),
                Fate::Replaced,
                "without ids: the version",
            ),
        ] {
            let records = [from, to].map(|(version, commits, end)| record(version, commits, end));
            assert_eq!(
                judge(&records[0], &records[1], false).unwrap(),
                fate,
                "{what}"
            );
            let mirrored = judge(&records[0], &records[1], true).unwrap();
            assert_eq!(mirrored, Fate::Replaced, "a mirror: {what}");
        }
    }

    #[test]
    fn of_equal_records_the_later_end_wins() {
        let early = record(1, "", 1);
        for (minutes, fate) in [(0, Fate::Replaced), (1, Fate::Same), (2, Fate::Same)] {
            let to = early
                .clone()
                .with_expires_at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes));
            for mirror in [false, true] {
                assert_eq!(judge(&early, &to, mirror).unwrap(), fate);
            }
        }
    }
}
