use std::time::SystemTime;

use super::{Record, Version};

/// What is read is written in one way, which is read as the same.
pub(crate) fn json(bytes: &[u8]) {
    let (version, expires_at) = (Version::new(7), SystemTime::UNIX_EPOCH);
    let read = |json: &str| Record::from_json(json, version, expires_at);
    let Some(record) = str::from_utf8(bytes).ok().and_then(|json| read(json).ok()) else {
        return;
    };
    let json = record.to_json();
    let again = read(&json).expect("what is written is read");
    assert_eq!(again.to_json(), json);
    assert_eq!((again.version(), again.expires_at()), (version, expires_at));
    // A default may be written where nothing was.
    assert!(json.len() <= 2 * bytes.len() + 100, "{} bytes", json.len());
}
