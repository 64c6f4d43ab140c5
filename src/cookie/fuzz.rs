//! What must hold of the readers here, whatever they read.

use ::cookie::Key;
use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::{
    CookieHeader, CookieOptions, SessionCookie,
    codec::{Codec, Keys, SignedValue},
    header::CookieFinder,
};
use crate::id::SessionId;

/// Each line is a `Cookie` header. It is read as by a parser that splits it at each semicolon.
pub(crate) fn header(lines: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, line);
        }
    }
    let header = CookieHeader::in_headers(&headers);
    let name = CookieFinder::new("sid");
    let found: Vec<&[u8]> = header.values(&name).collect();
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    let expected = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        (name == b"sid").then(|| quoted.unwrap_or(value))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    let cookie = SessionCookie::new(CookieOptions::new("sid"), &keys());
    let mut right_length = 0;
    for (value, presented) in found.iter().zip(cookie.presented(&header)) {
        right_length += usize::from(value.len() == SignedValue::LEN);
        assert!(presented.is_err(), "no one knows the key");
    }
    assert!(right_length <= SessionCookie::MAX_CHECKS);
}

/// An id, and what is done to its signed value: pairs of a place and a difference.
pub(crate) fn value(bytes: &[u8]) {
    let codec = Codec::new("sid", &keys());
    if let Ok(value) = bytes.try_into() {
        // The fuzzer sees what is compared in here, and so learns to sign.
        if let Some(verified) = codec.verify(value) {
            assert_eq!(codec.sign(verified.id).parts().concat(), value);
        }
    }
    let Some((text, changes)) = bytes.split_first_chunk() else {
        return;
    };
    let id = SessionId::from_text(*text);
    let signed = codec.sign(id).parts().concat();
    let mut value: [u8; SignedValue::LEN] = signed.try_into().expect("it has its length");
    let verified = codec.verify(&value).expect("it is signed");
    assert!(verified.id == id && verified.handle == id.handle() && !verified.outdated);
    let before = value;
    for change in changes.chunks_exact(2) {
        value[usize::from(change[0]) % SignedValue::LEN] ^= change[1];
    }
    // There is no other spelling of it either.
    assert_eq!(codec.verify(&value).is_some(), value == before);
}

fn keys() -> Keys {
    Key::from(&[7; 64]).into()
}
