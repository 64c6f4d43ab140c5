use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};

use super::{
    headers::{self, MAX_BYTES},
    jws::Jws,
};

/// The header with a device's answer. Each part of what is read has one spelling only, and none is signed by the key that it
/// has but `signed`.
pub(crate) fn jws(line: &[u8], signed: &str) {
    let Ok(line) = HeaderValue::from_bytes(line) else {
        return;
    };
    let headers = HeaderMap::from_iter([(headers::RESPONSE, line)]);
    let Some(text) = headers::string(&headers, headers::RESPONSE) else {
        return;
    };
    assert!(text.len() <= MAX_BYTES);
    let Some(jws) = Jws::in_headers(&headers) else {
        return;
    };
    let parts = text.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("it was read");
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    });
    assert_eq!(parts.collect::<Vec<_>>().join("."), text);
    assert!(jws.challenge.len() < text.len());
    let is_signed = jws.jwk.as_ref().is_some_and(|key| jws.is_signed_by(key));
    assert_eq!(is_signed, text == signed, "{text}");
}
