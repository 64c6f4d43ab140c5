use std::time::{Duration, SystemTime};

use super::cookie::FlaskCookie;

/// A cookie's value, or what its signed payload says. What is read is written in one way, which is read as the same.
pub(crate) fn cookie(bytes: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let codec = FlaskCookie::builder("the key of the fuzz targets").build();
    let codec = codec.expect("a valid key");
    let sealed = str::from_utf8(bytes).ok().map(|json| codec.seal(json, now));
    let values = [Some(bytes), sealed.as_ref().map(String::as_bytes)];
    for value in values.into_iter().flatten() {
        let Some(data) = codec.decode(value, now) else {
            continue;
        };
        let written = codec.encode(&data, now);
        assert_eq!(codec.decode(&written, now).as_ref(), Some(&data));
        assert_eq!(codec.encode(&data, now), written);
        assert_eq!(
            codec.decode(&written, now - Duration::from_secs(1)),
            None,
            "of the future"
        );
    }
}
