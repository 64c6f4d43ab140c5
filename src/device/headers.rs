//! The headers of the draft, of which only strings of structured fields (RFC 9651) are read.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const REGISTRATION: HeaderName = HeaderName::from_static("secure-session-registration");
pub(super) const CHALLENGE: HeaderName = HeaderName::from_static("secure-session-challenge");
pub(super) const RESPONSE: HeaderName = HeaderName::from_static("secure-session-response");
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("sec-secure-session-id");
pub(super) const SKIPPED: HeaderName = HeaderName::from_static("secure-session-skipped");

/// Longer values are not looked at.
pub(super) const MAX_BYTES: usize = 4096;

/// The header's string: as the draft has it, between quotes and perhaps with parameters, or bare, as Chromium sends it.
/// None of the strings that are read has a character that would be escaped.
pub(super) fn string(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut lines = headers.get_all(name).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    if line.len() > MAX_BYTES {
        return None;
    }
    let text = line.to_str().ok()?.trim_matches([' ', '\t']);
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => text.split(';').next()?.trim_end(),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!text.is_empty() && text.bytes().all(is_plain)).then_some(text)
}

/// `"text";name="value"`. Neither has a character that would have to be escaped.
pub(super) fn with_parameter(text: &str, name: &str, value: &str) -> HeaderValue {
    let line = HeaderValue::try_from(format!("\"{text}\";{name}=\"{value}\""));
    line.expect("base64 fits into a header")
}

/// Why the browser sent a request without a refresh, one for each binding. Of the draft's words only.
pub(super) fn skipped(headers: &HeaderMap) -> impl Iterator<Item = &'static str> {
    const REASONS: [&str; 3] = ["quota_exceeded", "unreachable", "server_error"];
    const MOST: usize = 4;
    let lines = headers.get_all(SKIPPED).iter();
    let lines = lines.filter(|line| line.len() <= MAX_BYTES);
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    items.take(MOST).filter_map(|item| {
        let word = item.split(|byte| *byte == b';').next()?.trim_ascii();
        REASONS.into_iter().find(|reason| reason.as_bytes() == word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::random::rounds;

    fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = HeaderValue::from_bytes(line).unwrap();
            headers.append(name.clone(), line);
        }
        headers
    }

    #[test]
    fn a_string_is_read_with_and_without_quotes() {
        let table: [(&[u8], Option<&str>); 15] = [
            (b"\"a.b-C_9\"", Some("a.b-C_9")),
            (b"a.b-C_9", Some("a.b-C_9")),
            (b" \"ab\" ", Some("ab")),
            (b"\"ab\";p=1", Some("ab")),
            (b"ab; p", Some("ab")),
            (b"", None),
            (b"\"\"", None),
            (b"\"ab", None),
            (b"ab\"", None),
            (b"\"a\\\"b\"", None),
            (b"a b", None),
            (b"a,b", None),
            (b"(a)", None),
            (b"a\xff", None),
            (b":YQ==:", None),
        ];
        for (line, expected) in table {
            assert_eq!(
                string(&headers(&RESPONSE, &[line]), RESPONSE),
                expected,
                "{line:?}"
            );
        }
        assert_eq!(string(&headers(&RESPONSE, &[b"a", b"b"]), RESPONSE), None);
        let longest = "a".repeat(MAX_BYTES);
        let of = |text: &str| string(&headers(&RESPONSE, &[text.as_bytes()]), RESPONSE).is_some();
        assert!(of(&longest) && !of(&format!("{longest}a")));
    }

    #[test]
    fn reasons_are_of_the_draft() {
        let lines: [&[u8]; 2] = [
            b"unreachable;session_identifier=\"123\", quota_exceeded;session_identifier=\"4\"",
            b"made up, server_error",
        ];
        let found: Vec<_> = skipped(&headers(&SKIPPED, &lines)).collect();
        assert_eq!(found, ["unreachable", "quota_exceeded", "server_error"]);
        let many = ["unreachable"; 100].join(",");
        assert_eq!(skipped(&headers(&SKIPPED, &[many.as_bytes()])).count(), 4);
        assert_eq!(skipped(&HeaderMap::new()).count(), 0);
    }

    #[test]
    fn random_lines_are_no_trouble() {
        const PIECES: [&[u8]; 9] = [
            b"\"",
            b"\\",
            b"a",
            b".",
            b";",
            b",",
            b" ",
            b"\xff",
            b"unreachable",
        ];
        let mut found = 0;
        for seed in rounds(100_000) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let line: Vec<u8> = (0..rng.usize(..8))
                .flat_map(|_| PIECES[rng.usize(..PIECES.len())])
                .copied()
                .collect();
            if let Some(text) = string(&headers(&RESPONSE, &[&line]), RESPONSE) {
                found += 1;
                assert!(!text.is_empty() && !text.contains(['"', '\\', ';', ' ', ',']));
            }
            assert!(skipped(&headers(&SKIPPED, &[&line])).count() <= 4);
        }
        assert!(found > 1_000, "{found}");
    }
}
